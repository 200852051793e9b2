import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Node, parseModule } from "./syntax.ts";

const LIBRARY = resolve(import.meta.dirname, "../../src/lib");

/** The library's entry points and their purposes. "index" exports everything. */
const MODULES: Readonly<Record<string, string>> = {
  verify: "Verify bundles and images",
  sign: "Sign images, artifacts and statements",
  oci: "Reach registries",
  keys: "Load keys, of files and services",
  "sigstore-js": "Keys between tsign and programs that sign by @sigstore/sign",
  sandbox: "A Sigstore and a registry for tests",
};

/** An exported name with its declaration and docstring. */
interface Exported {
  readonly name: string;
  readonly kind: "function" | "interface" | "type" | "class";
  readonly declaration: string;
  readonly doc: string;
}

/** Generates the pages of the library's API from its declarations and docstrings: `api/<module>.md`. */
export function apiPages(): { file: string; text: string }[] {
  const pages = Object.entries(MODULES).map(([name, about]) => {
    const exported = exportsOf(join(LIBRARY, `${name}.ts`)).filter((each) => isShownIn(name, each));
    const order = ["function", "class", "interface", "type"];
    const sorted = exported.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
    const sections = sorted.map(sectionOf);
    const text = [`# tsign/${name}: ${about}`, GENERATED, ...sections].join("\n\n");
    return { name, about, exported: sorted, file: `${name}.md`, text: `${text}\n` };
  });
  const index = exportsOf(join(LIBRARY, "index.ts"));
  const errors = index.filter(({ name }) => ["TsignError", "ErrorCode", "ServiceName"].includes(name));
  const list = pages.map(({ name, about, exported }) => {
    const values = exported.filter(({ kind }) => kind === "function").map((each) => `\`${each.name}\``);
    return `- [tsign/${name}](${name}.md): ${about}: ${values.join(", ")}`;
  });
  const readme = [
    "# The library",
    GENERATED,
    "`tsign` exports everything except tsign/sigstore-js; each part is also a separate module. For their use see [library.md](../library.md).",
    list.join("\n"),
    ...errors.map(sectionOf),
  ];
  return [{ file: "README.md", text: `${readme.join("\n\n")}\n` }, ...pages.map(({ file, text }) => ({ file, text }))];
}

const GENERATED = "Generated from the declarations in `src/lib` by `npm run docs`.";

/** Errors are on the first page; a name exported by several modules is shown on one page only. */
function isShownIn(module: string, { name }: Exported): boolean {
  const home: Readonly<Record<string, string>> = { Context: "keys", createTransport: "oci" };
  for (const each of ["Transport", "TransportOptions", "HttpRequest", "HttpResponse", "TlsOptions"]) {
    if (name === each) return module === "oci";
  }
  return home[name] === undefined || home[name] === module;
}

function sectionOf({ name, declaration, doc }: Exported): string {
  return [`## ${name}`, `\`\`\`ts\n${declaration}\n\`\`\``, ...(doc === "" ? [] : [doc])].join("\n\n");
}

/** Returns everything that a module exports, including re-exports. */
export function exportsOf(file: string): Exported[] {
  const text = readFileSync(file, "utf8");
  const { program, comments } = parseModule(text);
  const found: Exported[] = [];
  for (const node of program.body) {
    const source = "source" in node && node.source ? resolve(dirname(file), node.source.value) : undefined;
    if (node.type === "ExportAllDeclaration" && source) found.push(...exportsOf(source));
    if (node.type !== "ExportNamedDeclaration") continue;
    if (source) {
      const names = node.specifiers.map((each) => ("local" in each ? each.local.name : ""));
      const there = exportsOf(source);
      const missing = names.filter((name) => !there.some((each) => each.name === name));
      if (missing.length > 0) throw new Error(`${file}: ${missing.join(", ")} is not exported by ${source}`);
      found.push(...there.filter(({ name }) => names.includes(name)));
    }
    const { declaration } = node;
    if (!declaration) continue;
    const before = comments?.filter((comment) => (comment.end ?? 0) <= (node.start ?? 0)).at(-1);
    const isDoc = before?.type === "CommentBlock" && text.slice(before.end, node.start ?? 0).trim() === "";
    const own = declared(declaration, text);
    if (own) found.push({ ...own, doc: isDoc ? docText(before.value) : "" });
  }
  return found.filter((each, index) => found.findIndex(({ name }) => name === each.name) === index);
}

function declared(node: Node, text: string): Omit<Exported, "doc"> | undefined {
  const slice = (start: number, end: number) => text.slice(start, end).trim();
  switch (node.type) {
    case "FunctionDeclaration":
      return {
        name: node.id.name,
        kind: "function",
        declaration: `${slice(node.start, node.body.start).replace(/^async /, "")};`,
      };
    case "TSInterfaceDeclaration":
      return { name: node.id.name, kind: "interface", declaration: slice(node.start, node.end) };
    case "TSTypeAliasDeclaration":
      return { name: node.id.name, kind: "type", declaration: slice(node.start, node.end) };
    case "ClassDeclaration":
      return { name: node.id.name, kind: "class", declaration: classText(node, text) };
    default:
      return undefined;
  }
}

/** Returns a class without method bodies and property values. */
function classText(node: Node, text: string): string {
  const members = node.body.body.map((member: Node) => {
    const comment = member.leadingComments?.at(-1);
    const doc = comment?.value.startsWith("*") ? `  /*${comment.value}*/\n` : "";
    const end = member.body?.start ?? (member.value ? text.lastIndexOf("=", member.value.start) : member.end);
    return `${doc}  ${text.slice(member.start, end).trim().replace(/;$/, "")};`;
  });
  return [text.slice(node.start, node.body.start + 1), ...members, "}"].join("\n");
}

/** Converts a docstring to Markdown: its text, then parameters, results and errors as a list. */
function docText(comment: string): string {
  const lines = comment
    .replace(/^\*/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  const [text = "", ...tags] = lines
    .join("\n")
    .trim()
    .split(/(?:^|\s)(?=@(?:param|returns|throws|example)\b)/);
  const items = tags.map((tag) =>
    tag
      .trim()
      .replaceAll(/\n/g, " ")
      .replace(/^@param (\S+)/, "- `$1`:")
      .replace(/^@returns/, "- Returns:")
      .replace(/^@throws TsignError/, "- Throws `TsignError`:")
      .replace(/^@throws/, "- Throws:")
      .replace(/^@example/, "- Example:"),
  );
  return [text.trim(), ...(items.length > 0 ? [items.join("\n")] : [])].filter((part) => part !== "").join("\n\n");
}
