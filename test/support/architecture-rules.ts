import type { Source } from "./import-graph.ts";

/**
 * The rules of the architecture as functions over a tree of sources. Each returns what breaks it, a line each: none is good.
 */

/** A room and the rooms it may import from. A room is a folder, or a file that stands beside the folders. */
export type Rooms = Readonly<Record<string, readonly string[]>>;

export const roomOf = (path: string) => path.split("/")[0] ?? "";

/** Imports, of whatever kind, that go where their room may not. */
export function forbiddenImports(sources: readonly Source[], rooms: Rooms): string[] {
  return sources.flatMap(({ path, imports }) => {
    const from = roomOf(path);
    const allowed = rooms[from];
    if (allowed === undefined) return [`${path} is in a room that is not listed`];
    return imports
      .filter(({ target, own }) => own && roomOf(target) !== from && !allowed.includes(roomOf(target)))
      .map(({ target }) => `${path} → ${target}`);
  });
}

/** Permissions that nothing uses, and rooms without a file: the list says what is. */
export function unusedPermissions(sources: readonly Source[], rooms: Rooms): string[] {
  const used = new Set(
    sources.flatMap(({ path, imports }) => [
      roomOf(path),
      ...imports.map(({ target }) => `${roomOf(path)} → ${roomOf(target)}`),
    ]),
  );
  const listed = Object.entries(rooms).flatMap(([from, allowed]) => [from, ...allowed.map((to) => `${from} → ${to}`)]);
  return listed.filter((each) => !used.has(each));
}

/** Rooms that the list names before a room that they may import: it reads from the bottom up. */
export function outOfOrder(rooms: Rooms): string[] {
  const order = Object.keys(rooms);
  return Object.entries(rooms).flatMap(([from, allowed]) =>
    allowed.filter((to) => order.indexOf(to) >= order.indexOf(from)).map((to) => `${from} → ${to}`),
  );
}

/** Circles in the graph of files, lazy imports and those of types counted; each as the files that it goes through. */
export function circles(sources: readonly Source[]): string[] {
  return circlesIn(new Map(sources.map(({ path, imports }) => [path, imports.map(({ target }) => target)])));
}

/** Circles in the graph of rooms. */
export function roomCircles(sources: readonly Source[]): string[] {
  const graph = new Map<string, string[]>();
  for (const { path, imports } of sources) {
    const others = imports.filter(({ target, own }) => own && roomOf(target) !== roomOf(path));
    graph.set(roomOf(path), [...(graph.get(roomOf(path)) ?? []), ...others.map(({ target }) => roomOf(target))]);
  }
  return circlesIn(graph);
}

/** Strongly connected components of more than one node, and nodes that name themselves (Tarjan). */
function circlesIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const visit = (node: string): void => {
    index.set(node, index.size);
    low.set(node, index.get(node) ?? 0);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node) ?? 0, low.get(next) ?? 0));
    }
    if (low.get(node) !== index.get(node)) return;
    const circle = stack.splice(stack.indexOf(node));
    if (circle.length > 1 || graph.get(node)?.includes(node)) found.push(circle.sort().join(" ↔ "));
  };
  for (const node of graph.keys()) if (!index.has(node)) visit(node);
  return found;
}

/** What a part of the program may take from outside itself. */
export interface Allowance {
  /** Files and folders (with `/` at their end) of the tree. */
  readonly files?: readonly string[];
  /** Packages and modules of Node.js; a name ends with its package or with `/`. */
  readonly packages: readonly string[];
  /** Names of globals, all uses of which are good (`Map`), or single uses in globalUses()'s form (`Math.max`, `new Date(…)`). */
  readonly globals: readonly string[];
}

/** What files import and use besides what they may. `files` not given: any file of the tree. */
export function notAllowed(sources: readonly Source[], { files, packages, globals }: Allowance): string[] {
  const known = (target: string, list: readonly string[]) =>
    list.some((each) => (each.endsWith("/") ? target.startsWith(each) : target === each));
  return sources.flatMap(({ path, imports, globals: used }) => [
    ...imports
      .filter(({ kind, own, target }) =>
        own ? files !== undefined && !known(target, files) : kind !== "type" && !known(target, packages),
      )
      .map(({ target }) => `${path} → ${target}`),
    ...used.filter((use) => !globals.includes(use) && !globals.includes(nameOf(use))).map((use) => `${path}: ${use}`),
  ]);
}

/** The global that a use in globalUses()'s form is of. */
const nameOf = (use: string) => use.replace(/^(?:new|instanceof) /, "").replace(/[.[(].*$/, "");

/** The files of a tree that are loaded with those given, sooner or later: all they import but types. */
export function reached(sources: readonly Source[], from: readonly Source[], kinds = ["fixed", "lazy"]): Source[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const found = new Set<Source>();
  const visit = (source: Source | undefined): void => {
    if (source === undefined || found.has(source)) return;
    found.add(source);
    for (const { target, kind } of source.imports) if (kinds.includes(kind)) visit(byPath.get(target));
  };
  for (const source of from) visit(source);
  return [...found];
}

/** Folders, named with their limit, that hold more files than it, those below them not counted. `""` is the root. */
export function crowded(sources: readonly Source[], limits: Readonly<Record<string, number>>): string[] {
  return Object.entries(limits).flatMap(([folder, most]) => {
    const files = sources.filter(({ path }) => path.slice(0, path.lastIndexOf("/") + 1) === folder);
    return files.length > most ? [`${folder || "src/"} holds ${files.length} files, more than ${most}`] : [];
  });
}

/** Files of more lines than a limit. */
export function tooLong(sources: readonly Source[], most: number): string[] {
  return sources
    .map(({ path, text }) => ({ path, lines: text.replace(/\n$/, "").split("\n").length }))
    .filter(({ lines }) => lines > most)
    .map(({ path, lines }) => `${path} has ${lines} lines`);
}

/** Files whose code, without its comments, has a text: their paths. */
export function matching(sources: readonly Source[], pattern: RegExp): string[] {
  return sources.filter(({ text }) => pattern.test(withoutComments(text))).map(({ path }) => path);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}
