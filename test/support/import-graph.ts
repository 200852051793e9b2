import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { type ParseResult, parse } from "@babel/parser";
import { globalUses } from "./global-uses.ts";

/** How a module is named by another: loaded with it, loaded when code asks for it, or for its types alone. */
export type ImportKind = "fixed" | "lazy" | "type";

export interface Import {
  /** A file of the tree by its path in it (`verify/verify.ts`), a package, `node:crypto`, or COMPUTED. */
  readonly target: string;
  /** Whether it is a file of the tree. */
  readonly own: boolean;
  readonly kind: ImportKind;
}

/** One file: whom it names, and what it uses that it neither declares nor imports. */
export interface Source {
  /** Relative to the root of the tree, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** In the forms that globalUses() gives. */
  readonly globals: readonly string[];
}

/** The target of an `import(name)` of no fixed name. */
export const COMPUTED = "(computed)";

/**
 * Reads one file from its syntax tree: imports for their side effects, re-exports, lazy ones and `import("…")` in types too.
 *
 * @param path relative to the root of the tree
 */
export function readSource(path: string, text: string): Source {
  const tree = parse(text, { sourceType: "module", plugins: ["typescript"] });
  const imports = importsOf(tree).map(({ name, kind }) => {
    const own = name.startsWith(".");
    return { target: own ? posix.join(posix.dirname(path), name) : name, own, kind };
  });
  return { path, text, imports, globals: globalUses(tree) };
}

/** Every source below a folder, tests excepted. */
export function readTree(root: string): Source[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .sort()
    .map((file) => readSource(file, readFileSync(join(root, file), "utf8")));
}

/** Of an import the names may all be types: without the word before them the module is loaded all the same. */
function importsOf(tree: ParseResult): { name: string; kind: ImportKind }[] {
  const found: { name: string; kind: ImportKind }[] = [];
  const add = (name: unknown, kind: ImportKind) =>
    found.push({ name: typeof name === "string" ? name : COMPUTED, kind });
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    // biome-ignore lint/suspicious/noExplicitAny: a node is looked at by its shape
    const { type, source, importKind, exportKind, callee, arguments: values, argument, expression } = node as any;
    if (type === "ImportDeclaration") add(source.value, importKind === "type" ? "type" : "fixed");
    if (/^Export(All|Named)Declaration$/.test(type) && source)
      add(source.value, exportKind === "type" ? "type" : "fixed");
    if (type === "ImportExpression") add(textOf(source), "lazy");
    if (type === "CallExpression" && callee.type === "Import") add(textOf(values[0]), "lazy");
    if (type === "TSImportType") add((argument.literal ?? argument).value, "type");
    if (type === "TSExternalModuleReference") add(expression.value, "fixed");
    for (const [key, child] of Object.entries(node)) if (key !== "loc" && !key.endsWith("Comments")) visit(child);
  };
  visit(tree.program);
  return found;
}

/** The value of a string, or of a template without anything put in. */
function textOf(node: { value?: unknown; quasis?: { value: { cooked: string } }[] } | undefined): unknown {
  return node?.quasis?.length === 1 ? node.quasis[0]?.value.cooked : node?.value;
}
