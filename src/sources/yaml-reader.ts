import { nameOfCharacter } from "./text.ts";
import { Cursor, type Scalar } from "./yaml-cursor.ts";
import { FlowReader } from "./yaml-flow.ts";
import { emptyMapping, MAX_KEY, Parts, type YamlMapping, type YamlNode, type YamlSequence } from "./yaml-parts.ts";
import { atColon, readBlock, readPlain, readQuoted, startsBlock, startsQuoted } from "./yaml-scalars.ts";

interface Place {
  /** The column of the enclosing collection, -1 at the top. */
  readonly indent: number;
  readonly depth: number;
}

/**
 * Reads one YAML document, limited to the syntax that all parsers read alike: what libyaml (and so Kubernetes, through
 * sigs.k8s.io/yaml) and parsers of YAML 1.2 could read differently is refused, with the line and the reason.
 *
 * @param options.firstLine the number of the text's first line in its file, from 1
 * @returns undefined for a document without content
 * @throws TsignError "input" (with the line) for YAML that is invalid or not supported
 */
export function readYaml(text: string, options: { path: string; firstLine: number }): YamlNode | undefined {
  const cursor = new Cursor(`\n${text}`, { path: options.path, firstLine: options.firstLine - 1 });
  const reader = new Reader(cursor);
  cursor.skipLines();
  if (cursor.ended) return undefined;
  const node = reader.node({ indent: -1, depth: 0 });
  cursor.skipLines();
  if (!cursor.ended) cursor.refuse("inconsistent indentation or malformed line");
  refuseLineEnds(cursor);
  return node;
}

/** Refuses characters that end a line, and so a comment, for some parsers only. In quotes they can only change the value. */
function refuseLineEnds(cursor: Cursor): void {
  const quoted = cursor.quoted.values();
  let range = quoted.next().value;
  for (const { 0: character, index } of cursor.text.matchAll(/[\r\x85\u2028\u2029]/g)) {
    while (range && range[1] <= index) range = quoted.next().value;
    if (range && range[0] < index) continue;
    cursor.refuse(`${nameOfCharacter(character)} is a line break for some YAML parsers only`, index);
  }
}

class Reader {
  readonly #cursor: Cursor;
  readonly #parts: Parts;
  readonly #flow: FlowReader;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
    this.#parts = new Parts(cursor);
    this.#flow = new FlowReader(this.#parts);
  }

  /** Reads a node at the start of a line, or after `- `. */
  node(place: Place): YamlNode {
    const cursor = this.#cursor;
    this.#parts.deeper(place.depth);
    const column = cursor.column;
    if (cursor.peek() === "-" && cursor.isBlank(1)) return this.#sequence({ indent: column, depth: place.depth + 1 });
    if ("&!*".includes(cursor.peek())) return this.#withProperties(place, false);
    if ("[{".includes(cursor.peek())) return this.#flowAlone(place);
    if (startsBlock(cursor)) return readBlock(cursor, place.indent);
    const start = cursor.at;
    const key = this.#key();
    if (key !== undefined) return this.#mapping(key, { indent: column, depth: place.depth + 1 });
    cursor.at = start;
    return this.#scalar(place);
  }

  /** Reads a scalar and the rest of its line, which may contain only a comment. */
  #scalar({ indent }: Place): Scalar {
    const cursor = this.#cursor;
    const scalar = startsQuoted(cursor) ? readQuoted(cursor) : readPlain(cursor, { indent, flow: false });
    cursor.endLine();
    return scalar;
  }

  #flowAlone({ depth }: Place): YamlNode {
    const node = this.#flow.read(depth + 1);
    this.#cursor.endLine();
    return node;
  }

  /** Reads the key at the cursor and its colon; undefined if there is no key. */
  #key(): Scalar | undefined {
    const cursor = this.#cursor;
    if (cursor.peek() === "?" && cursor.isBlank(1)) cursor.refuse("keys with ? are not supported");
    const start = cursor.at;
    const lineEnd = cursor.text.indexOf("\n", start);
    const quoted = startsQuoted(cursor);
    const key = quoted ? readQuoted(cursor) : readPlain(cursor, { indent: Number.MAX_SAFE_INTEGER, flow: false });
    cursor.skipSpaces();
    if (!atColon(cursor)) return undefined;
    if (lineEnd !== -1 && cursor.at > lineEnd) cursor.refuse("key spans several lines", start);
    if (cursor.at - start > MAX_KEY) cursor.refuse(`key is longer than ${MAX_KEY} characters`, start);
    cursor.at++;
    return key;
  }

  #mapping(first: Scalar, place: Place): YamlMapping {
    const cursor = this.#cursor;
    const mapping = emptyMapping(first.at);
    for (let key: Scalar | undefined = first; key; ) {
      this.#parts.put(mapping, key, this.#value(place));
      cursor.skipLines();
      if (cursor.ended || cursor.column < place.indent) break;
      if (cursor.column > place.indent) cursor.refuse("inconsistent indentation");
      key = this.#key() ?? cursor.refuse("expected a key followed by a colon and a space");
    }
    return mapping;
  }

  /** Reads the value after `key:`, on the same line or below. */
  #value(place: Place): YamlNode {
    const cursor = this.#cursor;
    cursor.skipSpaces();
    if (cursor.peek() === "#") cursor.skipLine(); // a colon is followed by a space
    if (cursor.ended || cursor.peek() === "\n") return this.#below(place, true);
    if (cursor.peek() === "-" && cursor.isBlank(1)) cursor.refuse("list starts on the line of its key");
    return this.#inline(place);
  }

  /** Reads a value on the line of its key or dash, which cannot be a block mapping. */
  #inline(place: Place): YamlNode {
    const cursor = this.#cursor;
    if ("&!*".includes(cursor.peek())) return this.#withProperties(place, true);
    if ("[{".includes(cursor.peek())) return this.#flowAlone(place);
    return startsBlock(cursor) ? readBlock(cursor, place.indent) : this.#scalar(place);
  }

  /** Reads a value on a later line; without one, the value is empty. A list may be in the column of its key. */
  #below(place: Place, listAtKey: boolean): YamlNode {
    const cursor = this.#cursor;
    const at = cursor.at;
    cursor.skipLines();
    if (!cursor.ended) {
      const isList = cursor.peek() === "-" && cursor.isBlank(1);
      if (cursor.column > place.indent) return this.node({ indent: place.indent, depth: place.depth + 1 });
      if (listAtKey && isList && cursor.column === place.indent)
        return this.#sequence({ ...place, depth: place.depth + 1 });
    }
    cursor.at = at;
    return { kind: "scalar", value: "", plain: true, folded: false, at, span: [at, at] };
  }

  #sequence(place: Place): YamlSequence {
    const cursor = this.#cursor;
    this.#parts.deeper(place.depth);
    const at = cursor.at;
    const items: YamlNode[] = [];
    while (cursor.column === place.indent && cursor.peek() === "-" && cursor.isBlank(1)) {
      cursor.at++;
      while (cursor.peek() === " ") cursor.at++;
      if (cursor.peek() === "\t") cursor.refuse("tab after a dash");
      if (cursor.peek() === "#") cursor.skipLine(); // a dash is followed by a space
      const alone = cursor.ended || cursor.peek() === "\n";
      items.push(alone ? this.#below(place, false) : this.node({ indent: place.indent, depth: place.depth + 1 }));
      cursor.skipLines();
    }
    return { kind: "sequence", items, at };
  }

  /** Reads a node with an anchor or a tag, or an alias. */
  #withProperties(place: Place, listAtKey: boolean): YamlNode {
    const cursor = this.#cursor;
    if (cursor.peek() === "*") {
      const node = this.#parts.alias();
      cursor.endLine();
      return node;
    }
    const { anchor, tag } = this.#parts.properties();
    const start = cursor.at;
    if (cursor.peek() === "#") cursor.skipLine();
    if (cursor.ended || cursor.peek() === "\n") {
      return this.#parts.named(this.#below(place, listAtKey), { anchor, tag, start });
    }
    if ("&!*".includes(cursor.peek()) || (cursor.peek() === "-" && cursor.isBlank(1))) {
      cursor.refuse("anchor or tag in an unexpected place");
    }
    const node = this.#inline(place); // a key is refused at its colon
    return this.#parts.named(node, { anchor, tag, start });
  }
}
