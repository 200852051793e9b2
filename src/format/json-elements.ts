/** Character codes. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = new Set([0x7b, 0x5b]);
const CLOSE = new Set([0x7d, 0x5d]);
const BRACKET = 0x5b;
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);
/** Stands in the rest of the document for an element that was taken out. */
const PLACEHOLDER = Buffer.from("0");

/** Thrown for a document that is longer than allowed besides the elements that were taken out of it. */
export class TooLong extends Error {}

/**
 * Takes the elements of one array out of a JSON object while the object arrives, so that a list of any length is read in
 * memory that one element needs. Only the array under `name` at the top level is meant; what stands around the elements is
 * kept and parsed at the end, which is when a syntax error outside the elements is noticed.
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

  /** @param limits most bytes of one element, and of everything that is no element */
  constructor(name: string, limits: { readonly element: number; readonly rest: number }) {
    this.#name = name;
    this.#limits = limits;
  }

  /**
   * Reads on.
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
   * The document without the elements: where the array stands, it has a 0 for each.
   *
   * @throws SyntaxError when the document is not JSON or is not at its end
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
      this.#key = undefined; // a value that is no array
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
    return undefined; // the parser of the whole finds it again
  }
}
