import type { Cursor, Scalar } from "./yaml-cursor.ts";

/** A value in a document. What an alias names is the same object again. */
export type YamlNode = Scalar | YamlSequence | YamlMapping;

export interface YamlSequence {
  readonly kind: "sequence";
  readonly items: YamlNode[];
}

export interface YamlMapping {
  readonly kind: "mapping";
  /** By key, as it is written without its quotes. */
  readonly pairs: Map<string, YamlNode>;
  /** What `<<` brings in, without the pairs that the mapping has itself. */
  readonly inherited: Map<string, YamlNode>;
  /** The mappings that `<<` names. */
  readonly merged: YamlMapping[];
}

/** Manifests nest a dozen levels deep, schemas some more. */
const MAX_DEPTH = 100;
/** How many pairs `<<` may bring in, in one document. */
const MAX_MERGED = 200_000;
/** Longer keys are none to libyaml. */
export const MAX_KEY = 1000;
const TAG = /!!(str|int|float|bool|null|map|seq)(?=[ \n])/y;

/** What blocks and flows share: anchors, tags and pairs. */
export class Parts {
  readonly cursor: Cursor;
  readonly #anchors = new Map<string, YamlNode>();
  #inherited = 0;

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  /** Counts a level of nesting. */
  deeper(depth: number): void {
    if (depth > MAX_DEPTH) this.cursor.refuse(`nested deeper than ${MAX_DEPTH} levels`);
  }

  /** What the alias at the cursor names. */
  alias(): YamlNode {
    const name = this.#name();
    return this.#anchors.get(name) ?? this.cursor.refuse(`no anchor ${name} before its alias`);
  }

  #name(): string {
    const cursor = this.cursor;
    const [mark = "", name = ""] =
      /^[&*]([0-9A-Za-z_-]{1,256})(?=[ \n,\]}]|$)/.exec(cursor.text.slice(cursor.at, cursor.at + 258)) ?? [];
    if (name === "") cursor.refuse("anchor name may contain only letters, digits, - and _");
    cursor.at += mark.length;
    return name;
  }

  /** The anchor and the tag at the cursor, if there are any. */
  properties(): { anchor?: string; tag?: string } {
    const cursor = this.cursor;
    const found: { anchor?: string; tag?: string } = {};
    for (;;) {
      if (cursor.peek() === "&" && found.anchor === undefined) found.anchor = this.#name();
      else if (cursor.peek() === "!" && found.tag === undefined) {
        TAG.lastIndex = cursor.at;
        found.tag =
          TAG.exec(cursor.text)?.[1] ??
          cursor.refuse("unsupported tag: only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are supported");
        cursor.at += found.tag.length + 2;
      } else return found;
      cursor.skipSpaces();
    }
  }

  /** A node with its properties. */
  named(node: YamlNode, by: { anchor: string | undefined; tag: string | undefined; start: number }): YamlNode {
    const kind = by.tag === "map" ? "mapping" : by.tag === "seq" ? "sequence" : "scalar";
    if (by.tag !== undefined && node.kind !== kind)
      this.cursor.refuse(`!!${by.tag} before a value of another type`, by.start);
    const tagged = node.kind === "scalar" && by.tag !== undefined ? { ...node, tag: by.tag } : node;
    if (by.anchor !== undefined) this.#anchors.set(by.anchor, tagged);
    return tagged;
  }

  /** Adds a pair, or what `<<` names. */
  put(mapping: YamlMapping, key: Scalar, value: YamlNode): void {
    const cursor = this.cursor;
    if (key.value === "<<") {
      if (!key.plain || mapping.pairs.size > 0 || mapping.merged.length > 0) {
        cursor.refuse("<< in quotes, repeated or after another key is read differently by different parsers", key.at);
      }
      const sources = value.kind === "sequence" ? value.items : [value];
      for (const source of sources) {
        if (source.kind === "mapping") this.#inherit(mapping, source);
        else cursor.refuse("<< requires a mapping", key.at);
      }
      return;
    }
    if (mapping.pairs.has(key.value)) cursor.refuse(`duplicate key ${JSON.stringify(key.value)}`, key.at);
    mapping.pairs.set(key.value, value);
    mapping.inherited.delete(key.value);
  }

  /** Of several mappings that `<<` names the earlier one wins. */
  #inherit(mapping: YamlMapping, source: YamlMapping): void {
    mapping.merged.push(source);
    for (const pairs of [source.pairs, source.inherited]) {
      this.#inherited += pairs.size;
      if (this.#inherited > MAX_MERGED) this.cursor.refuse("<< merges too many keys");
      for (const [key, value] of pairs) if (!mapping.inherited.has(key)) mapping.inherited.set(key, value);
    }
  }
}

export function emptyMapping(): YamlMapping {
  return { kind: "mapping", pairs: new Map(), inherited: new Map(), merged: [] };
}
