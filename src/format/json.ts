import { TsignError } from "../errors.ts";

const MAX_DEPTH = 64;
/**
 * Most values in one document: reading a value costs the same however short it is, so that a large document of nothing but short
 * ones would take many times what it takes to send. SBOMs of 100 MB have about three million.
 */
const MAX_VALUES = 4_000_000;
/** Character codes. */
const [QUOTE, BACKSLASH, COMMA, BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x22, 0x5c, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d];

/**
 * Parses JSON from outside. Stricter than JSON.parse where two readers could disagree on what a signed document says:
 * invalid UTF-8, a byte order mark, a repeated key, a key `__proto__`, and nesting deeper than 64 are refused.
 *
 * @param what names the document in the error
 * @param options.most values that such a document has at most; counted by its commas, also those within texts
 * @throws TsignError "bad-bundle"
 */
export function parseJson(bytes: Uint8Array, what: string, { most = MAX_VALUES } = {}): unknown {
  requireFewer(bytes, what, most);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new TsignError("bad-bundle", `${what} is not UTF-8 text`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const hint = hintFor(text);
    throw new TsignError("bad-bundle", `${what} is not valid JSON`, { cause, ...(hint === undefined ? {} : { hint }) });
  }
  refuseBadKeys(text, what);
  return value;
}

/**
 * Refuses a document that has more than so many values, by its commas: before anything reads it, at a nanosecond a byte.
 *
 * @throws TsignError "bad-bundle"
 */
export function requireFewer(bytes: Uint8Array, what: string, most: number = MAX_VALUES): void {
  if (bytes.length <= most) return;
  let found = 0;
  for (let at = 0; at < bytes.length && found <= most; at++) if (bytes[at] === COMMA) found++;
  if (found > most) throw new TsignError("bad-bundle", `${what} has more than ${most} values`);
}

/** What to do about a text that is no JSON document, where that can be told. */
function hintFor(text: string): string | undefined {
  if (text.startsWith("\uFEFF")) return "it begins with a byte order mark: save it as UTF-8 without one";
  if (hasJsonLines(text)) return "it has a JSON document on each line: put the one you want into a file of its own";
  return undefined;
}

/** Whether a text that is no JSON document has one on its first line and another on its second (JSON lines). */
function hasJsonLines(text: string): boolean {
  const lines = text.split("\n", 2);
  try {
    return lines.length === 2 && lines.every((line) => isObject(JSON.parse(line)));
  } catch {
    return false;
  }
}

/**
 * Walks a text that is known to be valid JSON, in linear time and constant stack: a string may be of any length. Only quotes,
 * brackets and the place where a key stands matter.
 */
function refuseBadKeys(text: string, what: string): void {
  const open: (Set<string> | undefined)[] = []; // a set of keys for an object, undefined for an array
  let keyNext = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        const keys = keyNext ? open.at(-1) : undefined;
        if (keys) refuseKey(text.slice(at, end), keys, what);
        keyNext = false;
        at = end - 1;
        break;
      }
      case BRACE:
      case BRACKET:
        keyNext = text.charCodeAt(at) === BRACE;
        if (open.push(keyNext ? new Set() : undefined) > MAX_DEPTH) {
          throw new TsignError("bad-bundle", `${what} is nested deeper than ${MAX_DEPTH} levels`);
        }
        break;
      case BRACE_END:
      case BRACKET_END:
        open.pop();
        keyNext = false;
        break;
      case COMMA:
        keyNext = open.at(-1) !== undefined;
        break;
    }
  }
}

/** The position after the string that begins at `start`: the next quote that no odd number of backslashes stands before. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); ; quote = text.indexOf('"', quote + 1)) {
    let first = quote;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((quote - first) % 2 === 0) return quote + 1;
  }
}

function refuseKey(literal: string, keys: Set<string>, what: string): void {
  const key = literal.includes("\\") ? (JSON.parse(literal) as string) : literal.slice(1, -1);
  if (keys.has(key)) throw new TsignError("bad-bundle", `${what} has the key ${JSON.stringify(key)} twice`);
  if (key === "__proto__") throw new TsignError("bad-bundle", `${what} has a key named __proto__`);
  keys.add(key);
}

declare global {
  /** https://tc39.es/proposal-json-parse-with-source */
  interface JSON {
    /** A value that JSON.stringify writes as the text. */
    rawJSON(text: string): object;
    isRawJSON(value: unknown): boolean;
  }
}

/** Whether a JSON value is an object: not null, not an array, not a number that was kept as text. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/**
 * A scalar of a JSON document as text: a text itself, a number or truth value as it is written, "" for anything else. String()
 * is not for values from outside: an object that has a member `toString` makes it throw.
 */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : isScalar(value) ? String(value) : "";
}

function isScalar(value: unknown): value is number | boolean {
  return typeof value === "number" || typeof value === "boolean";
}
