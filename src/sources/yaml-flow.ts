import type { Scalar } from "./yaml-cursor.ts";
import { emptyMapping, MAX_KEY, type Parts, type YamlNode } from "./yaml-parts.ts";
import { readPlain, readQuoted, startsQuoted } from "./yaml-scalars.ts";

/** Reads flow collections: lists in brackets and mappings in braces. */
export class FlowReader {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Reads `[…]` or `{…}`, which may span several lines. */
  read(depth: number): YamlNode {
    const cursor = this.#parts.cursor;
    this.#parts.deeper(depth);
    const start = cursor.at;
    const isMapping = cursor.peek() === "{";
    const end = isMapping ? "}" : "]";
    const mapping = emptyMapping(start);
    const items: YamlNode[] = [];
    cursor.at++;
    for (this.#space(); cursor.peek() !== end; ) {
      if (cursor.ended) cursor.refuse(`missing ${end}`, start);
      if (isMapping) this.#parts.put(mapping, this.#key(), this.#value(depth));
      else if (cursor.peek() === ",") cursor.refuse("missing value");
      else items.push(this.#value(depth));
      this.#space();
      if (cursor.peek() === ",") {
        cursor.at++;
        this.#space();
      } else if (cursor.peek() !== end) cursor.refuse(`expected a comma or ${end}`);
    }
    cursor.at++;
    return isMapping ? mapping : { kind: "sequence", items, at: start };
  }

  /** Skips white space, line ends and comments between the parts of a flow collection. */
  #space(): void {
    const cursor = this.#parts.cursor;
    for (;;) {
      const start = cursor.at;
      while (cursor.peek() !== "" && " \t\n".includes(cursor.peek())) cursor.at++;
      if (cursor.peek() !== "#") return;
      if (cursor.at === start) cursor.refuse("missing space before a comment");
      cursor.skipLine();
    }
  }

  #key(): Scalar {
    const cursor = this.#parts.cursor;
    const start = cursor.at;
    const quoted = startsQuoted(cursor);
    const key = quoted ? readQuoted(cursor) : readPlain(cursor, { indent: 0, flow: true });
    if (key.folded || cursor.at - start > MAX_KEY) cursor.refuse("key spans several lines or is too long", start);
    cursor.skipSpaces();
    if (cursor.peek() !== ":" || !(quoted || cursor.isBlank(1)))
      cursor.refuse("key has no value, or no space after its colon", start);
    cursor.at++;
    return key;
  }

  #value(depth: number): YamlNode {
    const cursor = this.#parts.cursor;
    this.#space();
    if (cursor.peek() === "*") return this.#parts.alias();
    const { anchor, tag } = this.#parts.properties();
    const start = cursor.at;
    this.#space();
    if (cursor.peek() !== "" && ",]}".includes(cursor.peek())) {
      if (anchor !== undefined || tag !== undefined || cursor.peek() === "]") cursor.refuse("missing value");
      return { kind: "scalar", value: "", plain: true, folded: false, at: start, span: [start, start] };
    }
    if (cursor.peek() !== "" && "[{".includes(cursor.peek()))
      return this.#parts.named(this.read(depth + 1), { anchor, tag, start });
    const scalar = startsQuoted(cursor) ? readQuoted(cursor) : readPlain(cursor, { indent: 0, flow: true });
    return this.#parts.named(scalar, { anchor, tag, start });
  }
}
