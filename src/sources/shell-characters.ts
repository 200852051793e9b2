const DIGIT = /\p{Nd}/u;
const NAME = /[\p{L}\p{Nd}_]/u;
const SPECIAL = "@*#?-$!0";

/** Reads a text by code points. */
export class Characters {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next character, "" at the end. */
  peek(): string {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  /** Consumes the next character. */
  next(): string {
    const character = this.peek();
    this.#at += character.length;
    return character;
  }

  /** Consumes a variable's name: letters, digits and `_`; a number; or one of the shell's special parameters. */
  name(): string {
    const first = this.peek();
    if (DIGIT.test(first)) return this.#while(DIGIT);
    if (SPECIAL.includes(first)) return this.next();
    return this.#while(NAME);
  }

  #while(kind: RegExp): string {
    let text = "";
    while (kind.test(this.peek())) text += this.next();
    return text;
  }
}
