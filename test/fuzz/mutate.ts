import fc from "fast-check";
import {
  childrenOf,
  type LengthForm,
  type Node,
  nodeAt,
  replaceAt,
  type TreePath,
  treeOfJson,
  withChildren,
} from "./tree.ts";

/** One change, as numbers. Place and kind are computed from the tree, so that the change can be shrunk. */
export interface Change {
  readonly how: number;
  /** Seeds of the walks to the node to change and to the donor's node. */
  readonly at: number;
  readonly from: number;
  /** Index of the donor document. */
  readonly donor: number;
  readonly amount: number;
}

/** Any number of changes; fewer and smaller ones are tried when a finding is minimized. */
export function changes(most = 4): fc.Arbitrary<readonly Change[]> {
  const seed = fc.nat(0x7fff_ffff);
  return fc.array(fc.record({ how: fc.nat(999), at: seed, from: seed, donor: fc.nat(999), amount: fc.nat(0xffff) }), {
    minLength: 0,
    maxLength: most,
  });
}

/** Applies changes to a document, some with pieces of other documents of its family. */
export function mutate(root: Node, list: readonly Change[], donors: readonly Node[]): Node {
  return list.reduce((tree, change) => apply(tree, change, donors), root);
}

type Apply = (node: Node, change: Change, other: () => Node) => readonly Node[];

function apply(root: Node, change: Change, donors: readonly Node[]): Node {
  const path = walk(root, change.at);
  const donor = donors[change.donor % Math.max(1, donors.length)] ?? root;
  // Half of the pieces come from the same place in the other document, so that they fit.
  const samePlace = () => nodeAt(donor, path);
  const other = () =>
    (change.from % 2 === 0 ? samePlace() : undefined) ?? nodeAt(donor, walk(donor, change.from)) ?? donor;
  const how = CHANGES[change.how % CHANGES.length];
  return how ? replaceAt(root, path, (node) => how(node, change, other)) : root;
}

/** Walks down from the root and may stop at each node, so that large parts are hit as often as small ones. */
function walk(root: Node, seed: number): TreePath {
  const random = numbers(seed);
  const path: number[] = [];
  for (let node = root; ; ) {
    const children = childrenOf(node);
    if (children.length === 0 || (path.length > 0 && random(6) === 0)) return path;
    const index = random(children.length);
    const child = children[index];
    if (!child) return path;
    path.push(index);
    node = child;
  }
}

/** Returns a deterministic random number generator (mulberry32). */
export function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, below);
  };
}

const textNode = (text: string): Node => ({ kind: "string", inside: { kind: "bytes", bytes: Buffer.from(text) } });
const literal = (text: string): Node => ({ kind: "literal", text });

/** Values that are invalid in most fields. */
const ODD: readonly Node[] = [
  ...["null", "true", "false", "0", "-1", "1", "1.5", "1e999", "9007199254740993", "-0", "NaN", "1e3"].map(literal),
  ...["18446744073709551616", "-9223372036854775809"].map(literal),
  ...[
    "",
    "0",
    "-1",
    "00",
    "1e3",
    "\u0000",
    "\u202e",
    "\ufeff",
    "é",
    "e\u0301",
    "🔑",
    "\n",
    "%2f",
    "..",
    "__proto__",
  ].map(textNode),
  ...["constructor", "sha256:", "A".repeat(5000), "=", "AAAA", "9007199254740993", "2026-02-30T00:00:00Z"].map(
    textNode,
  ),
  ...["+275760-09-13T00:00:00.001Z", "0000-00-00T00:00:00Z", "*", "(a+)+$"].map(textNode),
  ...[[], {}, [[]], [null], { toString: 1 }, { length: -1 }].map((value) => treeOfJson(value)),
];

const CHANGES: readonly Apply[] = [
  () => [],
  (node) => [node, node],
  (_, __, other) => [other()],
  (_, __, other) => [other()],
  (node, __, other) => [node, other()],
  (node, __, other) => [other(), node],
  (_, { amount }) => [ODD[amount % ODD.length] ?? literal("null")],
  (node) => [{ kind: "list", items: [node] }],
  (node) => [{ kind: "object", entries: [["value", node]] }],
  (node, { amount }) => [swapped(node, amount)],
  (node, { amount, at }) => [flipped(node, amount, at)],
  (node, { amount, at }) => [flipped(node, amount, at)],
  (node, { amount, at }) => [flipped(node, amount, at)],
  (node, { amount }) => [shortened(node, amount)],
  (node, { amount }) => [spliced(node, amount)],
  (node, { amount }) => [renamed(node, amount)],
  (node, { amount }) => [reencoded(node, amount)],
  (node, { amount }) => [retagged(node, amount)],
  (node, { amount }) => Array<Node>(2 + (amount % 60)).fill(node),
  (node, { amount }) => [nested(node, amount)],
  (node, { amount }) => [recounted(node, amount)],
];

/** Swaps two of the node's children. */
function swapped(node: Node, amount: number): Node {
  const children = childrenOf(node);
  if (children.length < 2) return node;
  const [a, b] = [amount % children.length, (amount >> 4) % children.length];
  const [one, two] = [children[a], children[b]];
  return one && two ? withChildren(node, children.with(a, two).with(b, one)) : node;
}

/** Flips one bit of the first leaf below the node. */
function flipped(node: Node, amount: number, at: number): Node {
  if (node.kind === "bytes") {
    if (node.bytes.length === 0) return node;
    const bytes = Buffer.from(node.bytes);
    const index = (amount ^ at) % bytes.length;
    bytes[index] = (bytes[index] ?? 0) ^ (1 << (amount % 8));
    return { kind: "bytes", bytes };
  }
  const children = childrenOf(node);
  const index = amount % Math.max(1, children.length);
  const child = children[index];
  return child ? withChildren(node, children.with(index, flipped(child, amount, at))) : node;
}

function shortened(node: Node, amount: number): Node {
  if (node.kind === "bytes")
    return { kind: "bytes", bytes: node.bytes.subarray(0, amount % Math.max(1, node.bytes.length)) };
  const children = childrenOf(node);
  return withChildren(node, children.slice(0, amount % Math.max(1, children.length)));
}

const SPLICES: readonly string[] = [
  "",
  "\0",
  " ",
  "\n",
  "\r\n",
  "=",
  "A",
  "\u202e",
  "\u2028",
  "#",
  "\t",
  "{}",
  ":",
  "/",
  "\x1b[2J",
  "\ufeff",
];

/** Inserts unusual content into bytes or text. */
function spliced(node: Node, amount: number): Node {
  if (node.kind !== "bytes") return node;
  const at = amount % (node.bytes.length + 1);
  const put = Buffer.from(SPLICES[(amount >> 3) % SPLICES.length] ?? "");
  return { kind: "bytes", bytes: Buffer.concat([node.bytes.subarray(0, at), put, node.bytes.subarray(at)]) };
}

const NAMES: readonly string[] = ["__proto__", "constructor", "", "x", "toString", "mediaType", "digest", "\u0000"];

/** Renames a member of an object: another spelling, other letters, or an unusual name. */
function renamed(node: Node, amount: number): Node {
  if (node.kind !== "object" || node.entries.length === 0) return node;
  const index = amount % node.entries.length;
  const [name = "", value] = node.entries[index] ?? [];
  if (!value) return node;
  const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const names = [snake, name.toUpperCase(), `${name} `, name.replace(/k/i, "\u212a"), ...NAMES];
  const other = names[(amount >> 4) % names.length] ?? name;
  // Sometimes both spellings.
  const put = [[other, value] as const, ...(amount % 3 === 0 ? [[name, value] as const] : [])];
  return { ...node, entries: node.entries.toSpliced(index, 1, ...put) };
}

const FORMS: readonly LengthForm[] = ["long", "indefinite", "wrong"];
const VARIANTS = ["url", "bare", "lines"] as const;

/** Writes the same content in another encoding. */
function reencoded(node: Node, amount: number): Node {
  switch (node.kind) {
    case "base64":
      return { ...node, variant: VARIANTS[amount % VARIANTS.length] ?? "url" };
    case "tlv":
      return { ...node, length: FORMS[amount % FORMS.length] ?? "long" };
    case "pem":
      return { ...node, label: ["CERTIFICATE", "PUBLIC KEY", "X509 CERTIFICATE", ""][amount % 4] ?? "" };
    case "string":
      return node.inside.kind === "bytes" ? literal(Buffer.from(node.inside.bytes).toString()) : node;
    case "literal":
      return textNode(node.text);
    default:
      return node;
  }
}

function retagged(node: Node, amount: number): Node {
  if (node.kind !== "tlv") return node;
  const tags = [0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0xa0, 0xa3, 0x1f];
  return { ...node, tag: Buffer.from([tags[amount % tags.length] ?? amount % 256]) };
}

/** Nests the node many levels deeper. */
function nested(node: Node, amount: number): Node {
  let deep = node;
  for (let level = amount % 300; level > 0; level--) {
    deep = node.kind === "tlv" ? { ...node, inside: { kind: "der", items: [deep] } } : { kind: "list", items: [deep] };
  }
  return deep;
}

/** Changes a number, or digits in a text, by a small or large amount. */
function recounted(node: Node, amount: number): Node {
  const digits = (text: string) => {
    const number = Number(text);
    const others = [number + 1, number - 1, 0, -1, number * 2, 2 ** 31, 2 ** 53, 2 ** 64];
    return BigInt(Math.trunc(others[amount % others.length] ?? 0)).toString();
  };
  if (node.kind === "literal" && /^-?\d+$/.test(node.text)) return literal(digits(node.text));
  if (node.kind !== "bytes") return node;
  const text = Buffer.from(node.bytes).toString("latin1");
  return /^-?\d{1,15}$/.test(text) ? { kind: "bytes", bytes: Buffer.from(digits(text)) } : node;
}
