import { posix } from "node:path";
import type { ParseResult } from "@babel/parser";
import { globalUses } from "./global-uses.ts";
import { parseModule, sourcesBelow, walk } from "./syntax.ts";

/** Kind of an import: static, lazy, or of types only. */
export type ImportKind = "fixed" | "lazy" | "type";

export interface Import {
  /** A file of the tree by its path in it (`verify/verify.ts`), a package, `node:crypto`, or COMPUTED. */
  readonly target: string;
  /** Whether it is a file of the tree. */
  readonly own: boolean;
  readonly kind: ImportKind;
}

/** One file with its imports and globals. */
export interface Source {
  /** Relative to the root of the tree, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** In globalUses()'s form. */
  readonly globals: readonly string[];
}

/** The target of an `import(name)` with a computed name. */
export const COMPUTED = "(computed)";

/**
 * Reads one file from its syntax tree, including side-effect imports, re-exports, lazy imports and `import("…")` in types.
 *
 * @param path relative to the root of the tree
 */
export function readSource(path: string, text: string): Source {
  const tree = parseModule(text);
  const imports = importsOf(tree).map(({ name, kind }) => {
    const own = name.startsWith(".");
    return { target: own ? posix.join(posix.dirname(path), name) : name, own, kind };
  });
  return { path, text, imports, globals: globalUses(tree) };
}

/** Reads every source below a folder, except tests. */
export function readTree(root: string): Source[] {
  return Object.entries(sourcesBelow(root)).map(([path, text]) => readSource(path, text));
}

/** An import without the keyword `type` loads its module, even if all its names are types. */
function importsOf(tree: ParseResult): { name: string; kind: ImportKind }[] {
  const found: { name: string; kind: ImportKind }[] = [];
  const add = (name: unknown, kind: ImportKind) =>
    found.push({ name: typeof name === "string" ? name : COMPUTED, kind });
  walk(tree.program, ({ type, source, importKind, exportKind, callee, arguments: values, argument, expression }) => {
    if (type === "ImportDeclaration") add(source.value, importKind === "type" ? "type" : "fixed");
    if (/^Export(All|Named)Declaration$/.test(type) && source)
      add(source.value, exportKind === "type" ? "type" : "fixed");
    if (type === "ImportExpression") add(textOf(source), "lazy");
    if (type === "CallExpression" && callee.type === "Import") add(textOf(values[0]), "lazy");
    if (type === "TSImportType") add((argument.literal ?? argument).value, "type");
    if (type === "TSExternalModuleReference") add(expression.value, "fixed");
  });
  return found;
}

/** Returns the value of a string, or of a template without expressions. */
function textOf(node: { value?: unknown; quasis?: { value: { cooked: string } }[] } | undefined): unknown {
  return node?.quasis?.length === 1 ? node.quasis[0]?.value.cooked : node?.value;
}
