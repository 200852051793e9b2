/** Character codes. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const BRACKET = 0x5b;
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** Replaces an extracted element in the rest of the document. */
const PLACEHOLDER = Buffer.from("0");

/** Thrown for a document that is too long even without the extracted elements. */
export class TooLong extends Error {}

/**
 * Extracts the elements of one array from a JSON object while the object arrives, so that a list of any length needs the memory of
 * one element. The array is the member `name` at the top level. The rest of the object is kept and parsed at the end, so a syntax
 * error outside the elements is found only then.
 */
export class ElementSplitter {
  readonly #name: string;
  readonly #limits: { readonly element: number; readonly rest: number };
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** At the top level: whether the next string is a key, the last key, and the text of the string that is being read. */
  #keyNext = false;
  #key: string | undefined;
  #keyBytes: number[] | undefined;
  #inArray = false;
  #inElement = false;
  #pieces: Uint8Array[] = [];
  #elementSize = 0;
  #rest: Uint8Array[] = [];
  #restSize = 0;

  /** @param limits most bytes of one element, and of the rest of the document */
  constructor(name: string, limits: { readonly element: number; readonly rest: number }) {
    this.#name = name;
    this.#limits = limits;
  }

  /**
   * Reads the next bytes.
   *
   * @returns the JSON text of each element that ends in this piece; undefined for one longer than allowed
   * @throws TooLong
   */
  feed(bytes: Uint8Array): (Uint8Array | undefined)[] {
    const elements: (Uint8Array | undefined)[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (this.#inString) {
        this.#readString(byte);
        continue;
      }
      const atArray = this.#inArray && this.#depth === 2;
      if (atArray && this.#inElement && (byte === COMMA || CLOSE.has(byte))) {
        this.#keep(bytes.subarray(from, at));
        elements.push(this.#takeElement());
        from = at;
      } else if (atArray && !this.#inElement && byte !== COMMA && !CLOSE.has(byte) && !SPACE.has(byte)) {
        this.#keep(bytes.subarray(from, at));
        this.#inElement = true;
        from = at;
      }
      this.#structure(byte);
    }
    this.#keep(bytes.subarray(from));
    return elements;
  }

  /**
   * The document with each extracted element replaced by 0.
   *
   * @throws SyntaxError for invalid or incomplete JSON
   */
  end(): unknown {
    return JSON.parse(Buffer.concat(this.#rest).toString("utf8"));
  }

  #readString(byte: number): void {
    this.#keyBytes?.push(byte);
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) {
      this.#inString = false;
      if (this.#keyBytes) this.#key = keyOf(this.#keyBytes);
      this.#keyBytes = undefined;
    }
  }

  #structure(byte: number): void {
    if (byte === QUOTE) {
      this.#inString = true;
      if (this.#depth === 1 && this.#keyNext) this.#keyBytes = [QUOTE];
      this.#keyNext = false;
    } else if (OPEN.has(byte)) {
      if (this.#depth === 1 && byte === BRACKET && this.#key === this.#name) this.#inArray = true;
      this.#depth++;
      this.#keyNext = this.#depth === 1;
    } else if (CLOSE.has(byte)) {
      this.#depth--;
      if (this.#depth === 1) this.#inArray = false;
    } else if (this.#depth === 1 && byte === COMMA) {
      this.#keyNext = true;
      this.#key = undefined;
    } else if (this.#depth === 1 && byte !== COLON && !SPACE.has(byte)) {
      this.#key = undefined; // a value that is not an array
    }
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#inElement) {
      this.#elementSize += bytes.length;
      if (this.#elementSize <= this.#limits.element) this.#pieces.push(Uint8Array.from(bytes));
      else this.#pieces = [];
      return;
    }
    this.#restSize += bytes.length;
    if (this.#restSize > this.#limits.rest) throw new TooLong();
    this.#rest.push(Uint8Array.from(bytes));
  }

  #takeElement(): Uint8Array | undefined {
    const element = this.#elementSize <= this.#limits.element ? Buffer.concat(this.#pieces) : undefined;
    this.#pieces = [];
    this.#elementSize = 0;
    this.#inElement = false;
    this.#rest.push(PLACEHOLDER);
    this.#restSize += PLACEHOLDER.length;
    return element;
  }
}

function keyOf(bytes: readonly number[]): string | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as string;
  } catch {
    return undefined; // end() reports it
  }
}
