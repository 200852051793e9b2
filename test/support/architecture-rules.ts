import type { Source } from "./import-graph.ts";

/**
 * The rules of the architecture as functions over a tree of sources. Each returns its violations, one per line.
 */

/** The rooms that each room may import from. A room is a top-level folder, or a file beside the folders. */
export type Rooms = Readonly<Record<string, readonly string[]>>;

export const roomOf = (path: string) => path.split("/")[0] ?? "";

/** Returns imports of any kind that are not allowed for their room. */
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

/** Returns unused permissions and rooms without a file. */
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

/** Returns rooms that are listed before a room that they may import. The list is ordered from the bottom up. */
export function outOfOrder(rooms: Rooms): string[] {
  const order = Object.keys(rooms);
  return Object.entries(rooms).flatMap(([from, allowed]) =>
    allowed.filter((to) => order.indexOf(to) >= order.indexOf(from)).map((to) => `${from} → ${to}`),
  );
}

/** Returns cycles in the graph of files, including lazy and type imports, each as its files. */
export function circles(sources: readonly Source[]): string[] {
  return circlesIn(new Map(sources.map(({ path, imports }) => [path, imports.map(({ target }) => target)])));
}

/** Returns cycles in the graph of rooms. */
export function roomCircles(sources: readonly Source[]): string[] {
  const graph = new Map<string, string[]>();
  for (const { path, imports } of sources) {
    const others = imports.filter(({ target, own }) => own && roomOf(target) !== roomOf(path));
    graph.set(roomOf(path), [...(graph.get(roomOf(path)) ?? []), ...others.map(({ target }) => roomOf(target))]);
  }
  return circlesIn(graph);
}

/** Returns strongly connected components of more than one node, and nodes with an edge to themselves (Tarjan). */
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

/** What a part of the program may use from outside itself. */
export interface Allowance {
  /** Files and folders (with `/` at their end) of the tree. */
  readonly files?: readonly string[];
  /** Packages and modules of Node.js; a name ends with its package or with `/`. */
  readonly packages: readonly string[];
  /** Names of globals, all uses of which are good (`Map`), or single uses in globalUses()'s form (`Math.max`, `new Date(…)`). */
  readonly globals: readonly string[];
}

/** Returns imports and globals of files that are not allowed. Without `files`, any file of the tree. */
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

/** Returns the global of a use in globalUses()'s form. */
const nameOf = (use: string) => use.replace(/^(?:new|instanceof) /, "").replace(/[.[(].*$/, "");

/** Returns the given files and all files that they import, directly or indirectly, except for types. */
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

/** Returns folders with more files than their limit, without those in subfolders. `""` is the root. */
export function crowded(sources: readonly Source[], limits: Readonly<Record<string, number>>): string[] {
  return Object.entries(limits).flatMap(([folder, most]) => {
    const files = sources.filter(({ path }) => path.slice(0, path.lastIndexOf("/") + 1) === folder);
    return files.length > most ? [`${folder || "src/"} holds ${files.length} files, more than ${most}`] : [];
  });
}

/** Returns files with more lines than a limit. */
export function tooLong(sources: readonly Source[], most: number): string[] {
  return sources
    .map(({ path, text }) => ({ path, lines: text.replace(/\n$/, "").split("\n").length }))
    .filter(({ lines }) => lines > most)
    .map(({ path, lines }) => `${path} has ${lines} lines`);
}

/** Returns the paths of files whose code, without comments, contains a text. */
export function matching(sources: readonly Source[], pattern: RegExp): string[] {
  return sources.filter(({ text }) => pattern.test(withoutComments(text))).map(({ path }) => path);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}
