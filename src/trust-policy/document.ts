import { TsignError, withMessage } from "../errors.ts";
import { printable } from "../format/printable.ts";
import type { Scalar } from "../sources/yaml-cursor.ts";
import { splitDocuments, type YamlDocument } from "../sources/yaml-documents.ts";
import type { YamlMapping, YamlNode } from "../sources/yaml-parts.ts";
import { readYaml } from "../sources/yaml-reader.ts";
import { isPlain, NOT_TEXT, NULL } from "../sources/yaml-types.ts";

/** Largest policy, in bytes. */
const MAX_POLICY = 1024 * 1024;
/** Most values, counting what aliases repeat. */
const MAX_VALUES = 50_000;
const INTEGER = /^(?:0|[1-9]\d{0,14})$/;
/** Numbers in base 60 to parsers of YAML 1.1. */
const SEXAGESIMAL = /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/;

/** Names of fields and indexes of lists, from the top of the document. */
export type Path = readonly (string | number)[];

/** The values of a document, and where they are. */
export interface PolicyDocument {
  readonly value: unknown;
  /** `file:line:column` of the field or item with this path, or of the nearest one above it that is written in the file. */
  placeOf(path: Path): string;
}

/**
 * Parses a policy's YAML or JSON, strictly: what parsers of YAML read differently is refused, and so are merges, tags, empty
 * values, and texts over several lines other than literal blocks.
 *
 * @param file name of the file in errors
 * @throws TsignError "input" with line and column; "limit" for a document that is too large
 */
export function readPolicyDocument(content: string | Uint8Array, file: string): PolicyDocument {
  try {
    return readDocument(content, file);
  } catch (error) {
    throw error instanceof TsignError ? withColumn(error, content, file) : error;
  }
}

/** Adds the column at which the line begins to an error that names only the line, as those of the YAML reader do. */
function withColumn(error: TsignError, content: string | Uint8Array, file: string): TsignError {
  const rest = error.message.startsWith(`${file}:`) ? error.message.slice(file.length + 1) : "";
  const [whole, line, reason] = /^(\d+): (.*)$/s.exec(rest) ?? [];
  if (whole === undefined) return error;
  const text =
    Buffer.from(content)
      .toString("utf8")
      .split(/\r\n|\r|\n/)[Number(line) - 1] ?? "";
  return withMessage(error, `${file}:${line}:${text.search(/\S|$/) + 1}: ${reason}`);
}

function readDocument(content: string | Uint8Array, file: string): PolicyDocument {
  const documents = splitDocuments(content, { path: file, maxBytes: MAX_POLICY });
  const read = documents.map((document) => ({ document, node: readYaml(document.text, { path: file, ...document }) }));
  const [first, ...others] = read.filter(({ node }) => node !== undefined);
  if (!first?.node) throw new TsignError("input", `${file}: empty policy`, { hint: "write `version: 1` and `rules:`" });
  if (others[0]) {
    throw new TsignError(
      "input",
      `${file}:${others[0].document.firstLine}: expected one YAML document, found ${others.length + 1}`,
      {
        hint: "write each policy into its own file",
      },
    );
  }
  return new Converter(file, first.document).convert(first.node);
}

class Converter {
  readonly #file: string;
  readonly #firstLine: number;
  /** Offsets by path, joined by a line feed. */
  readonly #places = new Map<string, number>();
  /** The text with a line feed before it, from which the reader counts offsets. */
  readonly #text: string;
  /** Offsets of the ends of lines in it. */
  readonly #ends: readonly number[];
  #count = 0;

  constructor(file: string, document: YamlDocument) {
    this.#file = file;
    this.#firstLine = document.firstLine;
    this.#text = `\n${document.text}`;
    this.#ends = [...this.#text.matchAll(/\n/g)].map(({ index }) => index);
  }

  convert(node: YamlNode): PolicyDocument {
    const value = this.#value(node, [], 1);
    return { value, placeOf: (path) => this.#place(this.#offset(path)) };
  }

  #value(node: YamlNode, path: Path, at: number): unknown {
    const place = node.kind === "scalar" && node.at > 0 ? node.at : at;
    if (!this.#places.has(keyOf(path))) this.#places.set(keyOf(path), place);
    if (++this.#count > MAX_VALUES) {
      throw new TsignError("limit", `${this.#file}: more than ${MAX_VALUES} values`);
    }
    switch (node.kind) {
      case "scalar":
        return this.#scalar(node, place);
      case "sequence":
        return node.items.map((item, index) => this.#value(item, [...path, index], startOf(item) ?? at));
      case "mapping":
        return this.#mapping(node, path, at);
    }
  }

  #mapping(node: YamlMapping, path: Path, at: number): unknown {
    if (node.merged.length > 0) this.#refuse(at, "<< is not supported in a policy", "write the fields out");
    const entries = [...node.pairs].map(([key, value]) => {
      const keyAt = node.keys.get(key) ?? at;
      if (!this.#isQuoted(keyAt)) this.#refuseAmbiguous(key, keyAt);
      if (key === "__proto__") this.#refuse(keyAt, "unknown field __proto__", "remove it");
      this.#places.set(keyOf([...path, key]), keyAt);
      return [key, this.#value(value, [...path, key], keyAt)] as const;
    });
    return Object.fromEntries(entries);
  }

  #scalar(scalar: Scalar, at: number): unknown {
    const { value, tag, literal, folded } = scalar;
    if (tag !== undefined) this.#refuse(at, `tag !!${tag} is not supported in a policy`, "remove the tag");
    if (literal !== undefined) return literal;
    if (folded) this.#refuse(at, "text spans several lines", "write it on one line, or below `key: |`");
    if (!isPlain(scalar)) return value;
    if (NULL.test(value)) this.#refuse(at, "missing value", 'write a value, or "" for an empty text');
    if (value === "true" || value === "false") return value === "true";
    if (INTEGER.test(value)) return Number(value);
    this.#refuseAmbiguous(value, at);
    return value;
  }

  /** Refuses a text without quotes that parsers of YAML 1.1 or 1.2 read as another type. */
  #refuseAmbiguous(value: string, at: number): void {
    if (!isAmbiguous(value)) return;
    const shown = printable(value);
    this.#refuse(at, `${shown} is a number or a boolean for some YAML parsers`, `write "${shown}" in quotes`);
  }

  #isQuoted(at: number): boolean {
    return ['"', "'"].includes(this.#text.charAt(at));
  }

  #refuse(at: number, reason: string, hint: string): never {
    throw new TsignError("input", `${this.#place(at)}: ${reason}`, { hint });
  }

  #offset(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const at = this.#places.get(keyOf(path.slice(0, length)));
      if (at !== undefined) return at;
    }
    return 1;
  }

  #place(at: number): string {
    const line = countBelow(this.#ends, at);
    return `${this.#file}:${this.#firstLine + line - 1}:${at - (this.#ends[line - 1] ?? -1)}`;
  }
}

/** How many of the numbers, which ascend, are less than another. */
function countBelow(numbers: readonly number[], limit: number): number {
  let [from, to] = [0, numbers.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((numbers[middle] ?? limit) < limit) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Whether parsers of YAML 1.1 or 1.2 read a text without quotes as another type. */
export function isAmbiguous(text: string): boolean {
  return NOT_TEXT.test(text) || SEXAGESIMAL.test(text);
}

/** Where a node begins, if it is known. */
function startOf(node: YamlNode): number | undefined {
  if (node.kind === "scalar") return node.at;
  if (node.kind === "sequence") return node.items[0] && startOf(node.items[0]);
  return node.keys.values().next().value;
}

const keyOf = (path: Path) => path.join("\n");
