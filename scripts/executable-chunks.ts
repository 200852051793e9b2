import { basename } from "node:path";
import { parse } from "@babel/parser";

// biome-ignore lint/suspicious/noExplicitAny: a node of the syntax tree is looked at by its shape
type Node = any;

/** A chunk of esbuild's output, an ES module. */
export interface Chunk {
  readonly path: string;
  readonly text: string;
}

/**
 * What the functions of the chunks share. Their names are longer than those of minified code, so that no chunk hides them.
 * `import()` of Node's modules gives an object with the module as its prototype, because reading every export takes time.
 */
const LOADER = `"use strict";
var chunk$done = [];
var chunk$load = (id) => chunk$done[id] ?? (chunk$done[id] = chunk$all[id]() ?? {});
var chunk$import = (id) => Promise.resolve().then(() => chunk$load(id));
var chunk$namespace = (module) => Object.defineProperty(Object.create(module), "default", { value: module, enumerable: true });
var chunk$node = (name) => Promise.resolve().then(() => chunk$namespace(require(name)));
`;

/**
 * Joins the chunks of a program into one CommonJS file, in which every chunk is a function that runs on first use. A start creates
 * the functions and reads the names of the chunks that it uses; in a bundle without chunks all functions are at the top level, and
 * a third of the time of a short command is spent on them.
 *
 * @param chunks made with `format: "esm"` and `splitting: true`
 * @param entry the name of the file that is run
 * @throws Error for what the functions cannot do: import each other in a circle, export a name that is assigned later, and forms of
 *   import and export that esbuild does not write
 */
export function oneFile(chunks: readonly Chunk[], entry: string): string {
  const ids = new Map(chunks.map(({ path }, index) => [basename(path), index]));
  const idOf = (path: string) => {
    const id = ids.get(basename(path));
    if (id === undefined) throw new Error(`join chunks: there is no chunk ${path}`);
    return id;
  };
  const parts = chunks.map((chunk) => asFunction(chunk, idOf));
  requireNoCircle(parts.map(({ imports }) => imports));
  const all = parts.map(({ text }) => text).join(",\n");
  return `${LOADER}var chunk$all = [\n${all}];\nchunk$load(${idOf(entry)});\n`;
}

/** Turns a chunk into a function that returns its exports. */
function asFunction({ path, text }: Chunk, idOf: (path: string) => number): { text: string; imports: number[] } {
  const { body } = parse(text, { sourceType: "module", createImportExpressions: true }).program;
  const imports: number[] = [];
  const edits: { start: number; end: number; text: string }[] = [];
  const replace = ({ start, end }: Node, by: string) => edits.push({ start, end, text: by });
  const exported = new Map<string, string>();
  let head = "";
  for (const node of body as Node[]) {
    if (node.type === "ImportDeclaration") {
      if (isChunk(node.source.value)) imports.push(idOf(node.source.value));
      head += importStatement(node, idOf);
      replace(node, "");
    } else if (node.type.startsWith("Export")) {
      if (node.type !== "ExportNamedDeclaration" || node.declaration || node.source)
        throw new Error(`join chunks: unexpected ${node.type} in ${path}`);
      for (const { exported: name, local } of node.specifiers) exported.set(name.name, local.name);
      replace(node, "");
    }
  }
  const constant = new Set(exported.values());
  visit(body, 0, (node, depth) => {
    if (node.type === "ImportExpression" && node.source.type === "StringLiteral") {
      const { value } = node.source;
      replace(node, isChunk(value) ? `chunk$import(${idOf(value)})` : `chunk$node(${JSON.stringify(value)})`);
    }
    const assigned = depth > 0 ? assignedNames(node) : [];
    const changed = assigned.find((name) => constant.has(name));
    if (changed !== undefined) throw new Error(`join chunks: ${path} exports ${changed}, which a function assigns`);
  });
  let code = text;
  for (const { start, end, text: by } of edits.sort((a, b) => b.start - a.start))
    code = code.slice(0, start) + by + code.slice(end);
  const result = [...exported].map(([name, local]) => `${name}:${local}`).join(",");
  return { text: `function(){${head}${code.trim()}\n${result && `return{${result}}`}}`, imports };
}

function isChunk(source: string): boolean {
  return source.startsWith("./");
}

function importStatement({ source, specifiers }: Node, idOf: (path: string) => number): string {
  const module = isChunk(source.value)
    ? `chunk$load(${idOf(source.value)})`
    : `require(${JSON.stringify(source.value)})`;
  const named: string[] = [];
  let whole = "";
  for (const { type, imported, local } of specifiers as Node[]) {
    const isDefault = type === "ImportDefaultSpecifier" || imported?.name === "default";
    if (isDefault && !isChunk(source.value)) whole += `const ${local.name}=${module};`;
    else if (type === "ImportNamespaceSpecifier") whole += `const ${local.name}=chunk$namespace(${module});`;
    else named.push(`${isDefault ? "default" : imported.name}:${local.name}`);
  }
  if (named.length > 0) return `${whole}const{${named.join(",")}}=${module};`;
  return whole || `${module};`;
}

/** Visits all nodes, with the number of functions around each. */
function visit(node: Node, depth: number, look: (node: Node, depth: number) => void): void {
  if (Array.isArray(node)) for (const each of node) visit(each, depth, look);
  if (typeof node?.type !== "string") return;
  look(node, depth);
  const inside = depth + (/Function|Method|Property$/.test(node.type) ? 1 : 0);
  for (const [key, child] of Object.entries(node)) {
    if (key !== "loc" && typeof child === "object") visit(child, inside, look);
  }
}

/** The names that an assignment assigns, also in a pattern. */
function assignedNames(node: Node): string[] {
  const target =
    node.type === "UpdateExpression"
      ? node.argument
      : node.type === "AssignmentExpression" || /^For(In|Of)Statement$/.test(node.type)
        ? node.left
        : undefined;
  const names: string[] = [];
  if (target !== undefined && target.type !== "MemberExpression" && target.type !== "VariableDeclaration") {
    visit(target, 0, (each) => void (each.type === "Identifier" && names.push(each.name)));
  }
  return names;
}

/** @throws Error when chunks import each other in a circle: a function would begin again before it ended */
function requireNoCircle(imports: readonly (readonly number[])[]): void {
  const finished = new Set<number>();
  const open = new Set<number>();
  const enter = (id: number) => {
    if (finished.has(id)) return;
    if (open.has(id)) throw new Error(`join chunks: chunk ${id} imports itself through others`);
    open.add(id);
    for (const each of imports[id] ?? []) enter(each);
    open.delete(id);
    finished.add(id);
  };
  for (const id of imports.keys()) enter(id);
}
