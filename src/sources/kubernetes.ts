import { TsignError } from "../errors.ts";
import { isObject, parseJson } from "../format/json.ts";
import { decodeDocument, lineOf, nameOfCharacter } from "./text.ts";
import type { Scalar } from "./yaml-cursor.ts";
import { emptyMapping, type YamlMapping, type YamlNode } from "./yaml-parts.ts";
import { readYaml } from "./yaml-reader.ts";

/** Field names in lower case: Go's decoder ignores case. */
const CONTAINERS = ["initcontainers", "containers", "ephemeralcontainers"];
/** Largest stream, in bytes; thousands of documents have a few megabytes. */
const MAX_MANIFEST = 8 * 1024 * 1024;

/**
 * Finds the images in a stream of Kubernetes manifests, YAML or JSON: those of containers, init and ephemeral containers,
 * and image volumes at any depth, so that lists and pod templates of custom resources are included. Refuses what YAML parsers read
 * differently.
 *
 * @param content the stream's bytes, or its text
 * @param path name of the stream in errors
 * @returns references in the order of the stream, without duplicates
 * @throws TsignError "input" (with the line) for unsupported YAML, an image that is not a string, and manifests without images; "limit" for a stream or its merges that are too large
 */
export function manifestImages(content: string | Uint8Array, path: string): string[] {
  const text = decodeDocument(content, { path, maxBytes: MAX_MANIFEST }).replace(/^\uFEFF/, "");
  refuseCharacters(text, path);
  const finder = new Finder(path);
  for (const { text: document, firstLine } of documentsOf(text.replaceAll("\r\n", "\n"), path)) {
    for (const node of jsonNodes(document, path) ?? [readYaml(document, { path, firstLine })]) {
      if (node) finder.visit(node);
    }
  }
  if (finder.images.size === 0) throw new TsignError("input", `no images found in ${path}`);
  return [...finder.images];
}

/** Refuses characters that go-yaml refuses but other parsers accept. */
function refuseCharacters(text: string, path: string): void {
  const found = /[\0-\x08\v\f\x0E-\x1F\x7F-\x84\x86-\x9F\uFEFF\uFFFE\uFFFF]/.exec(text);
  if (!found) return;
  throw new TsignError(
    "input",
    `${path}:${lineOf(text, found.index)}: ${nameOfCharacter(found[0])} is not allowed in YAML`,
  );
}

/** Splits a stream at `---` lines, like kubectl and YAML. */
function documentsOf(text: string, path: string): { text: string; firstLine: number }[] {
  const documents: { text: string; firstLine: number }[] = [];
  const refuse = (line: number, reason: string): never => {
    throw new TsignError("input", `${path}:${line}: ${reason}`);
  };
  let lines: string[] = [];
  let firstLine = 1;
  let ended = false;
  const all = text.split("\n");
  for (const [index, line] of all.entries()) {
    const isMark = line.startsWith("---") || line.startsWith("...");
    if (isMark && !/^(?:---|\.\.\.)(?:[ \t]*|[ \t]+#.*)$/.test(line)) {
      refuse(
        index + 1,
        `${line.slice(0, 3)} with other text is a document ${line.startsWith("-") ? "start" : "end"} for some YAML parsers only`,
      );
    }
    if (line.startsWith("%")) refuse(index + 1, "YAML directives are not supported");
    if (ended && !isMark && !/^ *(?:#.*)?$/.test(line)) refuse(index + 1, "missing --- after ...");
    if (!isMark) {
      lines.push(line);
      continue;
    }
    ended = line.startsWith("...");
    documents.push({ text: lines.join("\n"), firstLine });
    [lines, firstLine] = [[], index + 2];
  }
  documents.push({ text: lines.join("\n"), firstLine });
  return documents;
}

/** The objects of a JSON document: one, or several without a separator, as printed by `kubectl` and `jq`. */
function jsonNodes(document: string, path: string): YamlNode[] | undefined {
  if (!/^\s*\{/.test(document)) return undefined;
  const nodes: YamlNode[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: token, index } of document.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/gs)) {
    if (token === "{") depth++;
    if (token !== "}" || --depth !== 0) continue;
    const object = document.slice(start, index + 1);
    try {
      JSON.parse(object);
    } catch {
      return undefined; // not JSON; may be YAML
    }
    nodes.push(jsonNode(readJson(object, path)));
    start = index + 1;
  }
  return document.slice(start).trim() === "" ? nodes : undefined;
}

function readJson(object: string, path: string): unknown {
  try {
    return parseJson(Buffer.from(object), path);
  } catch (error) {
    if (error instanceof TsignError) throw new TsignError("input", error.message, { cause: error });
    throw error;
  }
}

function jsonNode(value: unknown): YamlNode {
  if (Array.isArray(value)) return { kind: "sequence", items: value.map(jsonNode) };
  if (isObject(value)) {
    const mapping = emptyMapping();
    for (const [key, each] of Object.entries(value)) mapping.pairs.set(key, jsonNode(each));
    return mapping;
  }
  const text = String(value);
  const folded = /[\x85\u2028\u2029]/.test(text); // line breaks to a parser that reads JSON as YAML
  return { kind: "scalar", value: text, plain: typeof value !== "string", folded, at: 0 };
}

/** Walks documents; visits a node with several aliases once. */
class Finder {
  readonly images = new Set<string>();
  readonly #path: string;
  readonly #visited = new Set<YamlNode>();

  constructor(path: string) {
    this.#path = path;
  }

  visit(node: YamlNode): void {
    if (node.kind === "scalar" || this.#visited.has(node)) return;
    this.#visited.add(node);
    if (node.kind === "sequence") for (const item of node.items) this.visit(item);
    if (node.kind !== "mapping") return;
    for (const name of CONTAINERS) {
      for (const item of this.#listed(node, name)) {
        for (const image of this.#fields(item, "image")) this.#add(image, name);
      }
    }
    for (const item of this.#listed(node, "volumes")) {
      for (const image of this.#fields(item, "image")) {
        if (image.kind !== "mapping") continue;
        for (const reference of this.#fields(image, "reference")) this.#add(reference, "volumes");
      }
    }
    for (const each of node.pairs.values()) this.visit(each);
    for (const each of node.merged) this.visit(each);
  }

  /** The mappings in lists with this name. */
  #listed(node: YamlMapping, name: string): YamlMapping[] {
    return this.#fields(node, name).flatMap((list) =>
      list.kind === "sequence" ? list.items.filter((item) => item.kind === "mapping") : [],
    );
  }

  /** The values of keys that Go's decoder matches with a field: in any case, and with letters that fold to ASCII. */
  #fields(node: YamlMapping, name: string): YamlNode[] {
    const values: YamlNode[] = [];
    for (const pairs of [node.pairs, node.inherited]) {
      for (const [key, value] of pairs) if (folded(key) === name) values.push(value);
    }
    return values;
  }

  /** Adds an image; an empty one is ignored, because it is set elsewhere. */
  #add(image: YamlNode, container: string): void {
    const name = `image under ${container} in ${this.#path}`;
    if (image.kind !== "scalar") throw new TsignError("input", `${name} is not a string`);
    if (image.tag === "null" || (isPlain(image) && NULL.test(image.value)) || image.value === "") return;
    if ((image.tag !== undefined && image.tag !== "str") || (isPlain(image) && NOT_TEXT.test(image.value))) {
      throw new TsignError("input", `${name} is not a string: ${image.value}`);
    }
    if (image.folded) throw new TsignError("input", `${name} spans several lines`);
    this.images.add(image.value);
  }
}

const isPlain = (scalar: Scalar) => scalar.plain && scalar.tag === undefined;
const NULL = /^(?:|~|null|Null|NULL)$/;
/** Values that go-yaml reads as booleans or numbers. */
const NOT_TEXT =
  /^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|true|True|TRUE|false|False|FALSE|[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?0[xob][0-9A-Fa-f_]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** Folds case like Go's strings.EqualFold: the long s is an s, the Kelvin sign a k. */
function folded(key: string): string {
  return key.replaceAll("\u017F", "s").toLowerCase();
}
