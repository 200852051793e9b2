import type { Cursor, Scalar } from "./yaml-cursor.ts";

/** A value in a document. An alias is the same object as its anchor. */
export type YamlNode = Scalar | YamlSequence | YamlMapping;

export interface YamlSequence {
  readonly kind: "sequence";
  readonly items: YamlNode[];
  /** Where it begins, an offset into the text. */
  readonly at: number;
}

export interface YamlMapping {
  readonly kind: "mapping";
  /** Values by key, which is without quotes. */
  readonly pairs: Map<string, YamlNode>;
  /** The offset in the text of each key of `pairs`. */
  readonly keys: Map<string, number>;
  /** Pairs merged by `<<`, except keys that the mapping has itself. */
  readonly inherited: Map<string, YamlNode>;
  /** The mappings merged by `<<`. */
  readonly merged: YamlMapping[];
  /** Where it begins, an offset into the text. */
  readonly at: number;
}

/** Deepest nesting. Manifests have a dozen levels, schemas a few more. */
const MAX_DEPTH = 100;
/** Most pairs that `<<` may merge in one document. */
const MAX_MERGED = 200_000;
/** Longest key, in characters: libyaml does not recognize longer ones. */
export const MAX_KEY = 1000;
const TAG = /!!(str|int|float|bool|null|map|seq)(?=[ \n])/y;

/** The parts that block and flow collections share: anchors, tags and pairs. */
export class Parts {
  readonly cursor: Cursor;
  readonly #anchors = new Map<string, YamlNode>();
  #inherited = 0;

  constructor(cursor: Cursor) {
    this.cursor = cursor;
  }

  /** Refuses a level that is nested too deep. */
  deeper(depth: number): void {
    if (depth > MAX_DEPTH) this.cursor.refuse(`nested deeper than ${MAX_DEPTH} levels`);
  }

  /** Reads the alias at the cursor. @returns the node with its anchor */
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

  /** Reads the anchor and the tag at the cursor, if any. */
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

  /** Applies an anchor and a tag to a node. @returns the node, with its tag if it is a scalar */
  named(
    node: YamlNode,
    { anchor, tag, start }: { anchor: string | undefined; tag: string | undefined; start: number },
  ): YamlNode {
    const kind = tag === "map" ? "mapping" : tag === "seq" ? "sequence" : "scalar";
    if (tag !== undefined && node.kind !== kind) {
      this.cursor.refuse(`!!${tag} before a value of another type`, start);
    }
    const tagged = node.kind === "scalar" && tag !== undefined ? { ...node, tag } : node;
    if (anchor !== undefined) this.#anchors.set(anchor, tagged);
    return tagged;
  }

  /** Adds a pair to a mapping; `<<` merges mappings into it. */
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
    mapping.keys.set(key.value, key.at);
    mapping.inherited.delete(key.value);
  }

  /** Merges a mapping. Pairs that were merged earlier take precedence. */
  #inherit(mapping: YamlMapping, source: YamlMapping): void {
    mapping.merged.push(source);
    for (const pairs of [source.pairs, source.inherited]) {
      this.#inherited += pairs.size;
      if (this.#inherited > MAX_MERGED) this.cursor.refuse("<< merges too many keys");
      for (const [key, value] of pairs) if (!mapping.inherited.has(key)) mapping.inherited.set(key, value);
    }
  }
}

/** @param at where it begins, an offset into the text */
export function emptyMapping(at: number): YamlMapping {
  return { kind: "mapping", pairs: new Map(), keys: new Map(), inherited: new Map(), merged: [], at };
}
