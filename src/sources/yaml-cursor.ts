import { TsignError } from "../errors.ts";
import { lineOf } from "./text.ts";

/** A scalar as it is written, before anybody decides what type it has. */
export interface Scalar {
  readonly kind: "scalar";
  readonly value: string;
  /** Without quotes: it may mean a number, a boolean or null. */
  readonly plain: boolean;
  /** It goes over more than one line, where readers fold lines: its value is not to be relied on. */
  readonly folded: boolean;
  /** `str`, `int` and so on, if a tag says so. */
  readonly tag?: string;
  /** Where it begins, an offset into the text. */
  readonly at: number;
}

/** One document of a text, read character by character. */
export class Cursor {
  readonly text: string;
  /** An offset into the text, in UTF-16 code units. */
  at = 0;
  /** Where quoted scalars are: start and end, in order. */
  readonly quoted: [number, number][] = [];
  readonly #path: string;
  readonly #firstLine: number;

  /**
   * @param text begins with the end of a line
   * @param options.firstLine the number of the text's first line in the file, from 1
   */
  constructor(text: string, options: { path: string; firstLine: number }) {
    this.text = text;
    this.#path = options.path;
    this.#firstLine = options.firstLine;
  }

  /** @throws TsignError "input" with the line of an offset */
  refuse(reason: string, at: number = this.at): never {
    throw new TsignError("input", `${this.#path}:${this.#firstLine + lineOf(this.text, at) - 1}: ${reason}`);
  }

  /** The character at the cursor or behind it, "" at the end. */
  peek(ahead = 0): string {
    return this.text.charAt(this.at + ahead);
  }

  get ended(): boolean {
    return this.at >= this.text.length;
  }

  /** How far the cursor is from the start of its line. */
  get column(): number {
    return this.at - this.text.lastIndexOf("\n", this.at - 1) - 1;
  }

  /** Whether the character behind the cursor ends a word: white space, a line's end or the text's. */
  isBlank(ahead: number): boolean {
    return isBlank(this.peek(ahead));
  }

  /** Passes over spaces and tabs inside a line. */
  skipSpaces(): void {
    while (this.peek() === " " || this.peek() === "\t") this.at++;
  }

  /** Passes over the rest of a line, which may hold a comment after a space and nothing else. */
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

  /** Passes over empty lines and comments, from the end of a line to the first character of the next that has something. */
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
