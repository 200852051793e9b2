import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { TsignError } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import { printable } from "../../format/printable.ts";
import type { Path } from "../document.ts";

/** Most YAML documents in one file. */
const MAX_DOCUMENTS = 500;

/**
 * Parses the YAML or JSON documents of another program.
 *
 * @param file its name in errors and notes
 * @throws TsignError "input"
 */
export function readDocuments(content: string, file: string): Fields[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(content, { lineCounter: lines, version: "1.2", uniqueKeys: true });
  if (documents.length > MAX_DOCUMENTS) throw new TsignError("limit", `${file}: more than ${MAX_DOCUMENTS} documents`);
  const read: Fields[] = [];
  for (const document of documents as Document[]) {
    const [error] = document.errors;
    if (error) throw new TsignError("input", `read ${file}: ${printable(error.message.split("\n")[0] ?? "")}`);
    const value = plainValue(document, file);
    if (value === null || value === undefined) continue;
    if (!isObject(value)) throw new TsignError("input", `read ${file}: expected a mapping`);
    read.push(new Fields(value, [], { document, lines, file }));
  }
  return read;
}

function plainValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 1000 });
  } catch (error) {
    throw new TsignError("input", `read ${file}: too many aliases`, { cause: error });
  }
}

interface Origin {
  readonly document: Document;
  readonly lines: LineCounter;
  readonly file: string;
}

/** A mapping of a document. It knows which of its fields have been read, so that none is passed over in silence. */
export class Fields {
  readonly #value: Record<string, unknown>;
  readonly #path: Path;
  readonly #origin: Origin;
  readonly #read = new Set<string>();

  constructor(value: Record<string, unknown>, path: Path, origin: Origin) {
    this.#value = value;
    this.#path = path;
    this.#origin = origin;
  }

  /** `file:line:column` of a field, or of the mapping. */
  place(...more: Path): string {
    const { document, lines, file } = this.#origin;
    const path = [...this.#path, ...more];
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
      if (!node?.range) continue;
      const { line, col } = lines.linePos(node.range[0]);
      return `${file}:${line}:${col}`;
    }
    return `${file}:1:1`;
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined && this.#value[name] !== null;
  }

  /** The text of a field; undefined if it is missing or empty. */
  text(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined || value === "") return undefined;
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    return this.#wrong(name, "a text");
  }

  flag(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === "boolean") return value;
    return this.#wrong(name, "true or false");
  }

  count(name: string): number | undefined {
    const value = this.#take(name);
    if (value === undefined || (typeof value === "number" && Number.isSafeInteger(value) && value >= 0)) return value;
    return this.#wrong(name, "a number");
  }

  /** The mapping in a field. */
  fields(name: string): Fields | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.#wrong(name, "a mapping");
    return new Fields(value, [...this.#path, name], this.#origin);
  }

  /** The mappings of a list; none if the field is missing. */
  list(name: string): Fields[] {
    return this.#items(name).map((item, index) => {
      if (!isObject(item)) return this.#wrong(name, "a list of mappings");
      return new Fields(item, [...this.#path, name, index], this.#origin);
    });
  }

  texts(name: string): string[] {
    return this.#items(name).map((item) => (typeof item === "string" ? item : this.#wrong(name, "a list of texts")));
  }

  /** The names of the fields, in order. */
  names(): string[] {
    return Object.keys(this.#value);
  }

  /** Fields that nothing has read. */
  rest(): string[] {
    return this.names().filter((name) => this.has(name) && !this.#read.has(name));
  }

  /** Marks a field as read. */
  read(name: string): void {
    this.#read.add(name);
  }

  /** Whether a text below this mapping contains what the other program would replace. */
  contains(pattern: RegExp): boolean {
    return pattern.test(JSON.stringify(this.#value));
  }

  #items(name: string): readonly unknown[] {
    const value = this.#take(name);
    if (value === undefined) return [];
    return Array.isArray(value) ? value : this.#wrong(name, "a list");
  }

  #take(name: string): unknown {
    this.#read.add(name);
    const value = Object.hasOwn(this.#value, name) ? this.#value[name] : undefined;
    return value === null ? undefined : value;
  }

  #wrong(name: string, expected: string): never {
    throw new TsignError("input", `${this.place(name)}: ${printable(name)}: expected ${expected}`);
  }
}
