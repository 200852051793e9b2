import { isUtf8 } from "node:buffer";
import { TsignError } from "../errors.ts";

const MAX_DEPTH = 64;
/** Character codes. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const ESCAPED = new Set(Buffer.from('"\\/bfnrt'));
const LITERALS = ["true", "false", "null"].map((text) => Buffer.from(text));
/** A number (RFC 8259 section 6) at `lastIndex`. */
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** Longest number, in characters. */
const MAX_NUMBER = 1024;

/** The position of a value: its first byte, and the byte after its last. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Checks a JSON document as strictly as parseJson, without building values: the memory needed is that of the keys of the open
 * objects.
 *
 * @param wanted members to locate: of the outermost object, or of an object in it (`name.inner`)
 * @param document name of the document in errors
 * @returns the positions of the wanted members' values
 * @throws TsignError "bad-bundle"
 */
export function scanJson(bytes: Uint8Array, wanted: ReadonlySet<string>, document: string): Map<string, Span> {
  if (!isUtf8(bytes)) throw new TsignError("bad-bundle", `${document} is not UTF-8 text`);
  return new Scanner(bytes, wanted, document).scan();
}

interface Container {
  /** Names in an object; undefined for an array. */
  readonly names: Set<string> | undefined;
  /** Name of the current member. */
  name: string;
  /** First byte of its value. */
  from: number;
}

class Scanner {
  readonly #bytes: Buffer;
  readonly #wanted: ReadonlySet<string>;
  readonly #document: string;
  readonly #open: Container[] = [];
  readonly #found = new Map<string, Span>();
  #at = 0;

  constructor(bytes: Uint8Array, wanted: ReadonlySet<string>, document: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#wanted = wanted;
    this.#document = document;
  }

  scan(): Map<string, Span> {
    this.#space();
    let ended = this.#value();
    while (!ended || this.#open.length > 0) ended = ended ? this.#next() : this.#value();
    this.#space();
    if (this.#at !== this.#bytes.length) throw this.#invalid();
    return this.#found;
  }

  /** Reads a scalar, or the beginning of an object or array. Returns whether the value is complete. */
  #value(): boolean {
    const byte = this.#bytes[this.#at];
    if (byte === BRACE || byte === BRACKET) return this.#begin(byte);
    if (byte === QUOTE) this.#string();
    else if (!this.#literal()) this.#number();
    return true;
  }

  #begin(byte: number): boolean {
    if (this.#open.length === MAX_DEPTH) {
      throw new TsignError("bad-bundle", `${this.#document} is nested deeper than ${MAX_DEPTH} levels`);
    }
    this.#at++;
    this.#space();
    if (this.#bytes[this.#at] === (byte === BRACE ? BRACE_END : BRACKET_END)) {
      this.#at++;
      return true;
    }
    const container = { names: byte === BRACE ? new Set<string>() : undefined, name: "", from: 0 };
    this.#open.push(container);
    if (container.names) this.#name(container, container.names);
    return false;
  }

  /** Reads what follows a value: a comma, or the end of its container. Returns whether the container is complete. */
  #next(): boolean {
    const container = this.#open.at(-1) as Container;
    this.#note(container);
    this.#space();
    const byte = this.#bytes[this.#at++];
    if (byte === COMMA) {
      this.#space();
      if (container.names) this.#name(container, container.names);
      return false;
    }
    if (byte !== (container.names ? BRACE_END : BRACKET_END)) throw this.#invalid();
    this.#open.pop();
    return true;
  }

  #note(container: Container): void {
    const depth = this.#open.length;
    if (!container.names || depth > 2) return;
    const path = depth === 1 ? container.name : `${this.#open[0]?.name}.${container.name}`;
    if (depth === 2 && !this.#open[0]?.names) return;
    if (this.#wanted.has(path)) this.#found.set(path, { from: container.from, to: this.#at });
  }

  #name(container: Container, names: Set<string>): void {
    const from = this.#at;
    if (this.#bytes[from] !== QUOTE) throw this.#invalid();
    this.#string();
    const literal = this.#bytes.toString("utf8", from, this.#at);
    const name = literal.includes("\\") ? (JSON.parse(literal) as string) : literal.slice(1, -1);
    if (names.has(name))
      throw new TsignError("bad-bundle", `${this.#document} has duplicate key ${JSON.stringify(name)}`);
    if (name === "__proto__") throw new TsignError("bad-bundle", `${this.#document} has a key named __proto__`);
    names.add(name);
    this.#space();
    if (this.#bytes[this.#at++] !== COLON) throw this.#invalid();
    this.#space();
    container.name = name;
    container.from = this.#at;
  }

  #string(): void {
    const bytes = this.#bytes;
    for (let at = this.#at + 1; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return;
      }
      if (byte < 0x20) throw this.#invalid();
      if (byte !== BACKSLASH) continue;
      const escaped = bytes[++at] as number;
      if (escaped === 0x75 && /^[0-9A-Fa-f]{4}$/.test(bytes.toString("latin1", at + 1, at + 5))) at += 4;
      else if (!ESCAPED.has(escaped)) throw this.#invalid();
    }
    throw this.#invalid();
  }

  #literal(): boolean {
    const literal = LITERALS.find((each) => this.#bytes.subarray(this.#at, this.#at + each.length).equals(each));
    this.#at += literal?.length ?? 0;
    return literal !== undefined;
  }

  #number(): void {
    const text = this.#bytes.toString("latin1", this.#at, this.#at + MAX_NUMBER);
    NUMBER.lastIndex = 0;
    const [number] = NUMBER.exec(text) ?? [];
    if (number === undefined || number.length === MAX_NUMBER) throw this.#invalid();
    this.#at += number.length;
  }

  #space(): void {
    const bytes = this.#bytes;
    for (;;) {
      const byte = bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at++;
    }
  }

  #invalid(): TsignError {
    return new TsignError("bad-bundle", `${this.#document} is not valid JSON`);
  }
}
