/**
 * A document as a tree that includes nested encodings: JSON within base64 within JSON, the values of a DER certificate within
 * that, the lines of a checkpoint. Mutations (mutate.ts) apply to any node. `bytesOf` encodes the tree again; unchanged parts
 * are byte for byte the same.
 */
export type Node =
  /** A number, true, false or null as its JSON text, which need not be valid. */
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "string"; readonly inside: Node }
  | { readonly kind: "list"; readonly items: readonly Node[] }
  /** A list and not a map, because a name may occur twice. */
  | { readonly kind: "object"; readonly entries: readonly (readonly [name: string, value: Node])[] }
  | { readonly kind: "base64"; readonly inside: Node; readonly variant: "standard" | "url" | "bare" | "lines" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "lines"; readonly items: readonly Node[] }
  /** Consecutive DER values. */
  | { readonly kind: "der"; readonly items: readonly Node[] }
  | { readonly kind: "tlv"; readonly tag: Uint8Array; readonly inside: Node; readonly length: LengthForm }
  | { readonly kind: "pem"; readonly label: string; readonly inside: Node };

/** Encoding of a DER length: shortest, one octet longer than needed, indefinite, or wrong. */
export type LengthForm = "short" | "long" | "indefinite" | "wrong";

const MAX_DEPTH = 40;
const TEXT = /^[\x20-\x7e\n\r\t\u00a0-\ud7ff]*$/;

/** Decodes bytes as deep as possible. */
export function readTree(bytes: Uint8Array, depth = 0): Node {
  const leaf: Node = { kind: "bytes", bytes };
  if (depth > MAX_DEPTH || bytes.length === 0) return leaf;
  return (
    readers.map((read) => read(bytes, depth + 1)).find((node) => node && Buffer.compare(bytesOf(node), bytes) === 0) ??
    leaf
  );
}

/** Decodes a JSON value and its strings as deep as possible. */
export function treeOfJson(value: unknown, depth = 0): Node {
  if (typeof value === "string") return { kind: "string", inside: readTree(Buffer.from(value), depth + 1) };
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => treeOfJson(item, depth + 1)) };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([name, item]) => [name, treeOfJson(item, depth + 1)] as const);
    return { kind: "object", entries };
  }
  return { kind: "literal", text: JSON.stringify(value) ?? "null" };
}

const readers: readonly ((bytes: Uint8Array, depth: number) => Node | undefined)[] = [
  readJsonTree,
  readPemTree,
  readBase64Tree,
  readDerTree,
  readLinesTree,
];

function readJsonTree(bytes: Uint8Array, depth: number): Node | undefined {
  if (bytes[0] !== 0x7b && bytes[0] !== 0x5b) return undefined;
  try {
    return treeOfJson(JSON.parse(Buffer.from(bytes).toString()), depth);
  } catch {
    return undefined;
  }
}

function readPemTree(bytes: Uint8Array, depth: number): Node | undefined {
  const text = Buffer.from(bytes).toString("latin1");
  const blocks = text.match(/-----BEGIN [^-]+-----\n[^-]*-----END [^-]+-----\n?/g);
  if (!blocks || blocks.join("") !== text) return undefined;
  const items = blocks.map((block): Node => {
    const [, label = "", body = ""] = /-----BEGIN ([^-]+)-----\n([^-]*)/.exec(block) ?? [];
    return { kind: "pem", label, inside: readTree(Buffer.from(body, "base64"), depth) };
  });
  return items.length === 1 ? items[0] : { kind: "der", items };
}

function readBase64Tree(bytes: Uint8Array, depth: number): Node | undefined {
  const text = Buffer.from(bytes).toString("latin1");
  if (text.length < 16 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  return { kind: "base64", variant: "standard", inside: readTree(Buffer.from(text, "base64"), depth) };
}

function readLinesTree(bytes: Uint8Array, depth: number): Node | undefined {
  const text = Buffer.from(bytes).toString();
  if (!text.includes("\n") || !TEXT.test(text)) return undefined;
  const items = text.split("\n").map((line): Node => {
    const words = line.split(" ");
    return words.length > 1 && words.some((word) => word.length > 15)
      ? { kind: "bytes", bytes: Buffer.from(line) }
      : readTree(Buffer.from(line), depth);
  });
  return { kind: "lines", items };
}

function readDerTree(bytes: Uint8Array, depth: number): Node | undefined {
  if (bytes.length < 2 || depth > MAX_DEPTH) return undefined;
  const items: Node[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = derHeader(bytes, at);
    if (!header) return undefined;
    const { start, end, tag } = header;
    const content = bytes.subarray(start, end);
    const first = tag[0] ?? 0;
    const nested = readDerTree(content, depth + 1);
    const isDer = (first & 0x20) !== 0 || first === 0x04;
    const inside: Node = isDer && nested ? nested : { kind: "bytes", bytes: content };
    items.push({ kind: "tlv", tag, inside, length: "short" });
    at = end;
  }
  return items.length > 0 ? { kind: "der", items } : undefined;
}

function derHeader(bytes: Uint8Array, at: number): { tag: Uint8Array; start: number; end: number } | undefined {
  if (((bytes[at] ?? 0x1f) & 0x1f) === 0x1f) return undefined;
  const first = bytes[at + 1];
  if (first === undefined || first === 0x80 || first > 0x83) return undefined;
  const octets = first < 0x80 ? 0 : first & 0x7f;
  let length = first < 0x80 ? first : 0;
  for (let index = 0; index < octets; index++) length = length * 256 + (bytes[at + 2 + index] ?? 0);
  const start = at + 2 + octets;
  const end = start + length;
  return end <= bytes.length ? { tag: bytes.subarray(at, at + 1), start, end } : undefined;
}

/** Encodes a tree. */
export function bytesOf(node: Node): Uint8Array {
  switch (node.kind) {
    case "bytes":
      return node.bytes;
    case "literal":
    case "string":
    case "list":
    case "object":
      return Buffer.from(jsonOf(node));
    case "base64":
      return Buffer.from(base64Of(bytesOf(node.inside), node.variant));
    case "lines":
      return Buffer.from(node.items.map((item) => Buffer.from(bytesOf(item)).toString()).join("\n"));
    case "der":
      return Buffer.concat(node.items.map(bytesOf));
    case "tlv": {
      const content = bytesOf(node.inside);
      const end = node.length === "indefinite" ? Buffer.alloc(2) : Buffer.alloc(0);
      return Buffer.concat([node.tag, lengthOf(content.length, node.length), content, end]);
    }
    case "pem": {
      const body = Buffer.from(bytesOf(node.inside))
        .toString("base64")
        .replace(/.{64}(?=.)/g, "$&\n");
      return Buffer.from(`-----BEGIN ${node.label}-----\n${body}\n-----END ${node.label}-----\n`);
    }
  }
}

function jsonOf(node: Node): string {
  switch (node.kind) {
    case "literal":
      return node.text;
    case "list":
      return `[${node.items.map(jsonOf).join(",")}]`;
    case "object":
      return `{${node.entries.map(([name, value]) => `${JSON.stringify(name)}:${jsonOf(value)}`).join(",")}}`;
    case "string":
      return JSON.stringify(Buffer.from(bytesOf(node.inside)).toString());
    default: // another kind of node was put in place of JSON
      return JSON.stringify(Buffer.from(bytesOf(node)).toString());
  }
}

function base64Of(bytes: Uint8Array, variant: "standard" | "url" | "bare" | "lines"): string {
  const text = Buffer.from(bytes).toString("base64");
  switch (variant) {
    case "url":
      return text.replaceAll("+", "-").replaceAll("/", "_");
    case "bare":
      return text.replace(/=+$/, "");
    case "lines":
      return text.replace(/.{76}/g, "$&\n");
    default:
      return text;
  }
}

function lengthOf(content: number, form: LengthForm): Uint8Array {
  const length = content + (form === "wrong" ? 1 : 0);
  if (form === "indefinite") return Buffer.from([0x80]);
  if (length < 0x80 && form !== "long") return Buffer.from([length]);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  if (form === "long") octets.unshift(0);
  return Buffer.from([0x80 | octets.length, ...octets]);
}

/** Returns a node's children. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "list":
    case "lines":
    case "der":
      return node.items;
    case "object":
      return node.entries.map(([, value]) => value);
    case "string":
    case "base64":
    case "tlv":
    case "pem":
      return [node.inside];
    default:
      return [];
  }
}

/** Returns the node with other children. A node with one child takes the last of them. */
export function withChildren(node: Node, children: readonly Node[]): Node {
  const empty: Node = { kind: "bytes", bytes: new Uint8Array() };
  switch (node.kind) {
    case "list":
    case "lines":
    case "der":
      return { ...node, items: children };
    case "object":
      return { ...node, entries: children.map((child, at) => [node.entries[at]?.[0] ?? `more${at}`, child] as const) };
    case "string":
    case "base64":
    case "tlv":
    case "pem":
      return { ...node, inside: children.at(-1) ?? empty };
    default:
      return node;
  }
}

export type TreePath = readonly number[];

/** Returns the node at a path, or the last existing one on the path. */
export function nodeAt(root: Node, path: TreePath): Node | undefined {
  return path.reduce<Node | undefined>((node, index) => node && childrenOf(node)[index], root);
}

/** Returns the tree with the node at a path replaced by any number of nodes. */
export function replaceAt(root: Node, path: TreePath, change: (node: Node) => readonly Node[]): Node {
  const [index, ...rest] = path;
  if (index === undefined) return change(root)[0] ?? root;
  const children = childrenOf(root);
  const child = children[index];
  if (!child) return root;
  if (rest.length > 0) {
    const changed = replaceAt(child, rest, change);
    return withChildren(root, children.with(index, changed));
  }
  const replaced = change(child);
  if (root.kind !== "object") return withChildren(root, children.toSpliced(index, 1, ...replaced));
  const name = root.entries[index]?.[0] ?? "";
  return { ...root, entries: root.entries.toSpliced(index, 1, ...replaced.map((node) => [name, node] as const)) };
}
