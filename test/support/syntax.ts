import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { type ParseResult, parse } from "@babel/parser";

// biome-ignore lint/suspicious/noExplicitAny: a node is looked at by its shape
export type Node = any;

/** One parsed file. */
export interface ParsedFile {
  /** Relative to the root of the tree, with `/`. */
  readonly path: string;
  readonly program: Node;
}

/** A name's declaration: the expression or function it stands for, and where in its value the name is bound. */
export interface Binding {
  readonly kind: "value" | "parameter" | "function" | "class";
  /** Of a value its initializer, of a parameter the function, otherwise the declaration. */
  readonly node: Node;
  /** Property names and indexes from the initializer or argument to the bound value. */
  readonly path: readonly string[];
  /** Position of a parameter. */
  readonly index: number;
}

/** Parsed sources of a folder, with parents, files and declarations by node. */
export class SyntaxTrees {
  readonly files: readonly ParsedFile[];
  readonly #byPath: ReadonlyMap<string, ParsedFile>;
  readonly #parents = new WeakMap<object, Node>();
  readonly #fileOf = new WeakMap<object, ParsedFile>();

  constructor(files: readonly ParsedFile[]) {
    this.files = files;
    this.#byPath = new Map(files.map((file) => [file.path, file]));
    for (const file of files) {
      walk(file.program, (node, parent) => {
        if (parent) this.#parents.set(node, parent);
        else this.#fileOf.set(node, file);
      });
    }
  }

  parent(node: Node): Node {
    return this.#parents.get(node);
  }

  fileOf(node: Node): ParsedFile {
    let root = node;
    for (let above = this.parent(root); above; above = this.parent(root)) root = above;
    return this.#fileOf.get(root) as ParsedFile;
  }

  /** The declaration that an identifier refers to; undefined for a global, or a name from a package. */
  resolve(identifier: Node): Binding | undefined {
    const { name } = identifier;
    for (let node = identifier; node; node = this.parent(node)) {
      const found = declaredBy(node, name);
      if (found === "opaque") return undefined;
      if (found) return found;
      if (node.type === "Program") return this.#imported(node, name);
    }
    return undefined;
  }

  #imported(program: Node, name: string): Binding | undefined {
    const file = this.fileOf(program);
    for (const statement of program.body) {
      if (statement.type !== "ImportDeclaration" || !statement.source.value.startsWith(".")) continue;
      const specifier = statement.specifiers.find((each: Node) => each.local.name === name);
      if (!specifier?.imported) continue;
      const target = posix.join(posix.dirname(file.path), statement.source.value);
      return this.#exported(target, specifier.imported.name);
    }
    return undefined;
  }

  #exported(path: string, name: string): Binding | undefined {
    const program = this.#byPath.get(path)?.program;
    if (!program) return undefined;
    const found = declaredBy(program, name);
    return found === "opaque" ? undefined : (found ?? this.#imported(program, name));
  }
}

/** Returns the text of every source below a folder by its path, except tests. Paths are relative, with `/`, and sorted. */
export function sourcesBelow(root: string): Record<string, string> {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .sort();
  return Object.fromEntries(names.map((path) => [path, readFileSync(join(root, path), "utf8")]));
}

/** Parses a module of TypeScript. */
export function parseModule(text: string): ParseResult {
  return parse(text, { sourceType: "module", plugins: ["typescript"] });
}

/** Parses every source below a folder, except tests. */
export function parseTree(root: string): SyntaxTrees {
  return parseTexts(sourcesBelow(root));
}

/** Parses sources that are given by path. */
export function parseTexts(texts: Readonly<Record<string, string>>): SyntaxTrees {
  return new SyntaxTrees(
    Object.entries(texts).map(([path, text]) => ({
      path,
      program: parseModule(text).program,
    })),
  );
}

/** Calls a function with every node of a tree and its parent, parents first. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  if (typeof node?.type !== "string") return;
  visit(node, parent);
  for (const child of childrenOf(node)) walk(child, visit, node);
}

const NO_CHILDREN = new Set([
  "type",
  "loc",
  "start",
  "end",
  "extra",
  "leadingComments",
  "innerComments",
  "trailingComments",
]);

/** The nodes directly below a node. */
export function childrenOf(node: Node): Node[] {
  const children: Node[] = [];
  for (const key in node) {
    const child: Node = node[key];
    if (typeof child !== "object" || child === null || NO_CHILDREN.has(key)) continue;
    if (Array.isArray(child)) for (const each of child) children.push(each);
    else children.push(child);
  }
  return children;
}

/** The declaration of a name by a function's parameters or among the statements of a block. */
function declaredBy(node: Node, name: string): Binding | "opaque" | undefined {
  const parameters: Node[] = node.params ?? [];
  for (const [index, parameter] of parameters.entries()) {
    const path = pathTo(parameter, name);
    if (path) return { kind: "parameter", node, path, index };
  }
  if (node.type === "CatchClause" && pathTo(node.param, name)) return "opaque";
  const statements: Node[] = Array.isArray(node.body) ? node.body : [];
  const cases = (node.cases ?? []).flatMap((each: Node) => each.consequent);
  const loop = /^For(Of|In)Statement$/.test(node.type) ? node : undefined;
  for (const statement of [...statements, ...cases, node.init, node.left]) {
    const declaration = statement?.declaration?.type ? statement.declaration : statement;
    if (/^FunctionDeclaration$/.test(declaration?.type) && declaration.id?.name === name)
      return { kind: "function", node: declaration, path: [], index: 0 };
    if (declaration?.type === "ClassDeclaration" && declaration.id?.name === name)
      return { kind: "class", node: declaration, path: [], index: 0 };
    if (declaration?.type !== "VariableDeclaration") continue;
    for (const { id, init } of declaration.declarations) {
      const path = pathTo(id, name);
      if (!path) continue;
      if (loop) return { kind: "value", node: loop.right, path: ["*", ...path], index: 0 };
      return init ? { kind: "value", node: init, path, index: 0 } : "opaque";
    }
  }
  return undefined;
}

/** Where in a pattern a name is bound: `["a", "0"]` for `b` in `{ a: [b] }`; undefined if it is not. */
function pathTo(pattern: Node, name: string): string[] | undefined {
  switch (pattern?.type) {
    case "Identifier":
      return pattern.name === name ? [] : undefined;
    case "AssignmentPattern":
      return pathTo(pattern.left, name);
    case "TSParameterProperty":
      return pathTo(pattern.parameter, name);
    case "RestElement":
      return pathTo(pattern.argument, name);
    case "ObjectPattern":
      for (const each of pattern.properties) {
        const rest = pathTo(each.type === "RestElement" ? each : each.value, name);
        if (rest) return each.type === "RestElement" ? rest : [each.key.name ?? String(each.key.value), ...rest];
      }
      return undefined;
    case "ArrayPattern":
      for (const [index, each] of pattern.elements.entries()) {
        const rest = pathTo(each, name);
        if (rest) return each.type === "RestElement" ? rest : [String(index), ...rest];
      }
      return undefined;
    default:
      return undefined;
  }
}
