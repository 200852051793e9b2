import { TsignError } from "../errors.ts";
import { lineOf } from "./text.ts";

/** A scalar as written, before its type is resolved. */
export interface Scalar {
  readonly kind: "scalar";
  readonly value: string;
  /** Whether it has no quotes, and so may be a number, a boolean or null. */
  readonly plain: boolean;
  /** Whether it spans several lines, which parsers fold: its value must not be used. */
  readonly folded: boolean;
  /** The text of a literal block (`|`), which all readers read alike. */
  readonly literal?: string;
  /** The type in its tag, such as `str` or `int`. */
  readonly tag?: string;
  /** The offset of its start in the text. */
  readonly at: number;
  /** What to replace to change the value, offsets into the text: what is between the quotes, or the only line of a block. */
  readonly span: readonly [start: number, end: number];
}

/** One document of a text, read character by character. */
export class Cursor {
  readonly text: string;
  /** The current offset in the text, in UTF-16 code units. */
  at = 0;
  /** Start and end offsets of quoted scalars, in order. */
  readonly quoted: [number, number][] = [];
  readonly #path: string;
  readonly #firstLine: number;

  /**
   * @param text must begin with a line end
   * @param options.firstLine the number of the text's first line in the file, from 1
   */
  constructor(text: string, options: { path: string; firstLine: number }) {
    this.text = text;
    this.#path = options.path;
    this.#firstLine = options.firstLine;
  }

  /** @throws TsignError "input" with the line that contains an offset */
  refuse(reason: string, at: number = this.at): never {
    throw new TsignError("input", `${this.#path}:${this.#firstLine + lineOf(this.text, at) - 1}: ${reason}`);
  }

  /** The character at the cursor, or `ahead` characters after it; "" at the end. */
  peek(ahead = 0): string {
    return this.text.charAt(this.at + ahead);
  }

  get ended(): boolean {
    return this.at >= this.text.length;
  }

  /** The column of the cursor, from 0. */
  get column(): number {
    return this.at - this.text.lastIndexOf("\n", this.at - 1) - 1;
  }

  /** Whether the character `ahead` of the cursor ends a word: white space, a line end, or the end of the text. */
  isBlank(ahead: number): boolean {
    return isBlank(this.peek(ahead));
  }

  /** Skips spaces and tabs within a line. */
  skipSpaces(): void {
    while (this.peek() === " " || this.peek() === "\t") this.at++;
  }

  /** Skips the rest of a line, which may contain only a comment after a space. */
  endLine(): void {
    const start = this.at;
    this.skipSpaces();
    if (this.peek() === "#" && this.at > start) this.skipLine();
    else if (!this.ended && this.peek() !== "\n") this.refuse("unexpected text after a value");
  }

  skipLine(): void {
    const end = this.text.indexOf("\n", this.at);
    this.at = end === -1 ? this.text.length : end;
  }

  /** Skips empty lines and comments, from a line end to the first character of the next line with content. */
  skipLines(): void {
    while (this.peek() === "\n") {
      this.at++;
      while (this.peek() === " ") this.at++;
      if (this.peek() === "\t") this.refuse("tab in indentation");
      if (this.peek() === "#") this.skipLine();
    }
  }
}

export function isBlank(character: string): boolean {
  return character === "" || character === " " || character === "\t" || character === "\n";
}
