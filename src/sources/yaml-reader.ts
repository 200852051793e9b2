import { nameOfCharacter } from "./text.ts";
import { Cursor, type Scalar } from "./yaml-cursor.ts";
import { FlowReader } from "./yaml-flow.ts";
import { emptyMapping, MAX_KEY, Parts, type YamlMapping, type YamlNode, type YamlSequence } from "./yaml-parts.ts";
import { atColon, readBlock, readPlain, readQuoted, startsBlock, startsQuoted } from "./yaml-scalars.ts";

interface Place {
  /** The column of the collection that the node is in, -1 at the top. */
  readonly indent: number;
  readonly depth: number;
}

/**
 * Reads one document of the YAML that every reader reads alike: what libyaml (and so Kubernetes, by sigs.k8s.io/yaml) and
 * readers of YAML 1.2 could take for different things is refused, with the line and the reason.
 *
 * @param options.firstLine the number of the text's first line in its file, from 1
 * @returns undefined for a document without content
 * @throws TsignError "input"
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

/** What ends a line, and so a comment, for some readers only. In quotes it changes the value at most. */
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

  /** A node that begins a line of its own, or follows `- `. */
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

  /** A scalar that is followed by nothing but the end of its line. */
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

  /** The key at the cursor, with the cursor behind its colon; undefined where there is none. */
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
    const mapping = emptyMapping();
    for (let key: Scalar | undefined = first; key; ) {
      this.#parts.put(mapping, key, this.#value(place));
      cursor.skipLines();
      if (cursor.ended || cursor.column < place.indent) break;
      if (cursor.column > place.indent) cursor.refuse("inconsistent indentation");
      key = this.#key() ?? cursor.refuse("expected a key followed by a colon and a space");
    }
    return mapping;
  }

  /** What follows `key:`, on its line or below. */
  #value(place: Place): YamlNode {
    const cursor = this.#cursor;
    cursor.skipSpaces();
    if (cursor.peek() === "#") cursor.skipLine(); // there is a space behind a colon
    if (cursor.ended || cursor.peek() === "\n") return this.#below(place, true);
    if (cursor.peek() === "-" && cursor.isBlank(1)) cursor.refuse("list starts on the line of its key");
    return this.#inline(place);
  }

  /** A value on the line of its key or dash: no mapping. */
  #inline(place: Place): YamlNode {
    const cursor = this.#cursor;
    if ("&!*".includes(cursor.peek())) return this.#withProperties(place, true);
    if ("[{".includes(cursor.peek())) return this.#flowAlone(place);
    return startsBlock(cursor) ? readBlock(cursor, place.indent) : this.#scalar(place);
  }

  /** A value that begins on a later line, else nothing. A list may stand as far out as its key. */
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
    return { kind: "scalar", value: "", plain: true, folded: false, at };
  }

  #sequence(place: Place): YamlSequence {
    const cursor = this.#cursor;
    this.#parts.deeper(place.depth);
    const items: YamlNode[] = [];
    while (cursor.column === place.indent && cursor.peek() === "-" && cursor.isBlank(1)) {
      cursor.at++;
      while (cursor.peek() === " ") cursor.at++;
      if (cursor.peek() === "\t") cursor.refuse("tab after a dash");
      if (cursor.peek() === "#") cursor.skipLine(); // there is a space behind a dash
      const alone = cursor.ended || cursor.peek() === "\n";
      items.push(alone ? this.#below(place, false) : this.node({ indent: place.indent, depth: place.depth + 1 }));
      cursor.skipLines();
    }
    return { kind: "sequence", items };
  }

  /** A node with an anchor or a tag, or an alias. */
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
    const node = this.#inline(place); // a key would be left over at its colon, and is refused
    return this.#parts.named(node, { anchor, tag, start });
  }
}
