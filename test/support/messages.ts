import { join, resolve } from "node:path";
import { type Broken, brokenRules } from "./message-rules.ts";
import { type Node, parseTree, type SyntaxTrees, walk } from "./syntax.ts";
import { type Piece, type Place, TextFlow } from "./text-flow.ts";

/** What a text is for. */
export type Kind =
  | "error" // message of a TsignError, or of another error that ends in one
  | "check" // why a check of a verification failed, or what it found
  | "hint"
  | "warning"
  | "note" // other lines on stderr
  | "output" // lines on stdout
  | "summary" // of a command or a group
  | "about"
  | "example" // comments among a command's examples
  | "flag"
  | "deprecation"
  | "variable" // meaning of an environment variable or an exit code
  | "reason"; // part of a message by its property's name

export interface Message {
  readonly kind: Kind;
  /** What is put in stands as `{name}`. */
  readonly text: string;
  /** `whole`, or where in its message it stands: it is a part that a function or a variable gives. */
  readonly place: Place;
  /** Relative to the root of the tree. */
  readonly file: string;
  readonly line: number;
  /** Of an error, where it stands beside the text. */
  readonly code?: string;
}

const SOURCES = resolve(import.meta.dirname, "../../src");
/** Properties that hold texts, with their kinds. */
const PROPERTIES: Readonly<Record<string, Kind>> = {
  hint: "hint",
  summary: "summary",
  about: "about",
  deprecated: "deprecation",
  effect: "reason",
  reason: "reason",
  detail: "reason",
  fault: "reason",
  because: "reason",
};
const FLAGS = ["bool", "string", "strings", "texts", "int", "duration", "choice"];
const TABLES: readonly { readonly file: string; readonly name: string; readonly kind: Kind }[] = [
  { file: "cli/table.ts", name: "SUMMARIES", kind: "summary" },
  { file: "cli/help/flag-groups.ts", name: "EXIT_MEANINGS", kind: "variable" },
  { file: "cli/help/flag-groups.ts", name: "WELL_KNOWN", kind: "variable" },
  { file: "cli/parser/variables.ts", name: "rows", kind: "variable" },
];

/** Every text that the sources below a folder may print, each place once, sorted by file and line. */
export function readMessages(root = SOURCES): Message[] {
  return messagesIn(parseTree(root));
}

/** The same of trees that are parsed already. */
export function messagesIn(trees: SyntaxTrees): Message[] {
  const flow = new TextFlow(trees);
  const found = new Map<string, Message>();
  const seen = new Map<Kind, Map<Node, Set<string>>>();
  const add = (kind: Kind, node: Node, code?: string) => {
    const before = seen.get(kind) ?? new Map();
    seen.set(kind, before);
    for (const piece of flow.piecesOf(node, before).filter(({ text }) => !text.trim().includes("\n"))) {
      const message = messageOf(kind, piece, trees, code);
      const key = `${message.file}:${piece.node.start} ${kind} ${message.text}`;
      const known = found.get(key);
      if (known === undefined || message.place === "whole") found.set(key, message);
    }
  };
  for (const { path, program } of trees.files) {
    walk(program, (node, parent) => {
      for (const { kind, text, code } of printedBy(node, parent, { path, flow })) if (text) add(kind, text, code);
    });
  }
  return [...found.values()].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

/** Where an error is made with a text that could not be read, except the message of another error. `file:line`. */
export function unreadErrors(trees = parseTree(SOURCES)): string[] {
  const flow = new TextFlow(trees);
  const unread: string[] = [];
  for (const { path, program } of trees.files) {
    walk(program, (node) => {
      if (node.type !== "NewExpression") return;
      for (const { text } of thrown(node, path, flow)) {
        const isAnother = /MemberExpression$/.test(text?.type) && text.property.name === "message";
        if (text && !isAnother && literal(text) !== "" && flow.piecesOf(text).length === 0)
          unread.push(`${path}:${node.loc.start.line}`);
      }
    });
  }
  return unread;
}

function messageOf(kind: Kind, piece: Piece, trees: SyntaxTrees, code: string | undefined): Message {
  const { node, text, place } = piece;
  const { path: file } = trees.fileOf(node);
  const beside = code ?? codeBeside(node, trees);
  const line: number = node.loc.start.line;
  return { kind, text, place, file, line, ...(kind === "error" && beside ? { code: beside } : {}) };
}

interface Printed {
  readonly kind: Kind;
  readonly text: Node;
  readonly code?: string | undefined;
}

/** The expressions of a node that are printed. */
function printedBy(node: Node, parent: Node, { path, flow }: { path: string; flow: TextFlow }): Printed[] {
  switch (node.type) {
    case "NewExpression":
      return thrown(node, path, flow);
    case "CallExpression":
      return node.callee.type === "Super" ? thrown(node, path, flow) : called(node);
    case "ObjectProperty":
      return parent.type === "ObjectPattern" ? [] : property(node, path);
    case "VariableDeclarator": {
      const table = TABLES.find(({ file, name }) => file === path && name === node.id.name);
      return table ? rowsOf(node.init).map((text) => ({ kind: table.kind, text })) : [];
    }
    default:
      return [];
  }
}

/** The message of an error that is made. */
function thrown(node: Node, path: string, flow: TextFlow): Printed[] {
  const made = flow.classOf(node);
  if (path === "errors.ts" && node.callee.type === "Super") return []; // TsignError's own: its callers are read
  const name = typeof made === "string" ? made : made?.id?.name;
  const [first, second] = node.arguments;
  if (name === "TsignError") return [{ kind: "error", text: second, code: literal(first) }];
  if (name === "CheckFailed") return [{ kind: "check", text: second }];
  return /^(Error|TypeError|RangeError|SyntaxError)$/.test(name ?? "") ? [{ kind: "error", text: first }] : [];
}

function called(node: Node): Printed[] {
  const { callee } = node;
  const name: string = callee.name ?? callee.property?.name ?? "";
  const [first, second] = node.arguments;
  if (name === "write" || name === "data") {
    const stream = callee.object?.property?.name ?? callee.object?.name;
    if (stream === "stdout") return [{ kind: "output", text: first }];
    if (stream === "stderr") return [{ kind: startsWith(first, "WARNING") ? "warning" : "note", text: first }];
  }
  if (name === "warn") return [{ kind: "warning", text: first }];
  if (name === "onWarning") return [{ kind: "warning", text: propertyOf(first, "message") }];
  if (/^(passed|skipped)$/.test(name)) return [{ kind: "check", text: second }];
  if (callee.object?.name === "flag" && FLAGS.includes(name))
    return [{ kind: "flag", text: name === "choice" ? second : first }];
  return [];
}

function property(node: Node, path: string): Printed[] {
  const name: string = node.key.name ?? node.key.value;
  if (name === "examples" && node.value.type === "ArrayExpression")
    return node.value.elements
      .filter((each: Node) => literal(each)?.startsWith("# "))
      .map((text: Node) => ({ kind: "example", text }));
  const kind = PROPERTIES[name];
  if (!kind || (kind === "about" && path.startsWith("cli/parser/"))) return [];
  return [{ kind: kind === "about" && path === "cli/help/groups.ts" ? "summary" : kind, text: node.value }];
}

/** The texts of a table: values of an object, second items of rows, or `about` of objects. */
function rowsOf(table: Node): Node[] {
  const inner = table.expression ?? table;
  const values = inner.properties?.map((each: Node) => each.value) ?? inner.elements ?? [];
  return values.map((each: Node) => each.elements?.[1] ?? propertyOf(each, "about") ?? each);
}

function propertyOf(node: Node, name: string): Node {
  return node?.properties?.find((each: Node) => each.key?.name === name)?.value;
}

function literal(node: Node): string | undefined {
  return node?.type === "StringLiteral" ? node.value : undefined;
}

function startsWith(node: Node, start: string): boolean {
  if (node?.type === "BinaryExpression") return startsWith(node.left, start);
  const text = literal(node) ?? node?.quasis?.[0].value.cooked ?? "";
  return text.startsWith(start);
}

const CODE =
  /^(usage|input|unsupported|auth|network|timeout|registry|service|limit|image-not-found|no-signatures|no-match|no-match-bundle|bad-signature|policy|untrusted|bad-bundle|cancelled|internal)$/;

/** The error code that stands in the same call or row as a text. */
function codeBeside(node: Node, trees: SyntaxTrees): string | undefined {
  let above = trees.parent(node);
  while (/^(Conditional|Logical|Binary)Expression$|^TS/.test(above?.type)) above = trees.parent(above);
  const items: Node[] = above?.elements ?? above?.arguments ?? [];
  return items.map(literal).find((text) => text !== undefined && CODE.test(text));
}

/** `node test/support/messages.ts [FOLDER…]`: what breaks the rules of docs/style.md, of the files that are named or all. */
function main(folders: readonly string[]): void {
  const messages = readMessages();
  const below = folders.map((folder) => folder.replace(/^(\.\/)?src\//, "").replace(/\/$/, ""));
  const chosen = messages.filter(({ file }) => below.length === 0 || below.some((folder) => file.startsWith(folder)));
  const all = chosen.flatMap((message) => brokenRules(message).map((broken) => ({ message, broken })));
  for (const { message, broken } of all) process.stdout.write(`${line(message, broken)}\n`);
  const counts = Map.groupBy(chosen, ({ kind }) => kind);
  const kinds = [...counts].map(([kind, list]) => `${list.length} ${kind}`).join(", ");
  process.stdout.write(`${all.length} violations; read ${kinds}\n`);
  process.exitCode = all.length > 0 ? 1 : 0;
}

function line({ file, line: number, kind, text }: Message, { rule, why }: Broken): string {
  return `${join("src", file)}:${number}: ${kind}: ${JSON.stringify(text)}\n    rule ${rule}: ${why}`;
}

if (import.meta.main) {
  const [first, ...rest] = process.argv.slice(2);
  if (first === "--list") {
    for (const each of readMessages().filter(({ file }) => rest.length === 0 || rest.some((at) => file.startsWith(at))))
      process.stdout.write(`${each.file}:${each.line} ${each.kind} ${each.place} ${each.code ?? ""} ${each.text}\n`);
  } else main(first === undefined ? [] : [first, ...rest]);
}
