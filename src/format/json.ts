import { TsignError } from "../errors.ts";

const MAX_DEPTH = 64;
/**
 * Most values in a document: parsing costs time per value, so a document of many short values would take far longer to parse than
 * to send. SBOMs of 100 MB have about three million.
 */
const MAX_VALUES = 4_000_000;
/** Character codes. */
const [QUOTE, BACKSLASH, COMMA, BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x22, 0x5c, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d];

/**
 * Parses untrusted JSON. Stricter than JSON.parse where two parsers could disagree: refuses invalid UTF-8, a byte order mark,
 * a repeated key, a key `__proto__`, and nesting deeper than 64 levels.
 *
 * @param document name of the document in errors
 * @param options.most most values, counted by commas, including those in strings
 * @throws TsignError "bad-bundle"
 */
export function parseJson(bytes: Uint8Array, document: string, { most = MAX_VALUES } = {}): unknown {
  requireFewer(bytes, document, most);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new TsignError("bad-bundle", `${document} is not UTF-8 text`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const hint = hintFor(text);
    throw new TsignError("bad-bundle", `${document} is not valid JSON`, {
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  refuseBadKeys(text, document);
  return value;
}

/**
 * Refuses a document with too many values, counted by commas, before it is parsed.
 *
 * @throws TsignError "bad-bundle"
 */
export function requireFewer(bytes: Uint8Array, document: string, most: number = MAX_VALUES): void {
  if (bytes.length <= most) return;
  let found = 0;
  for (let at = 0; at < bytes.length && found <= most; at++) if (bytes[at] === COMMA) found++;
  if (found > most) throw new TsignError("bad-bundle", `${document} has more than ${most} values`);
}

/** A hint for a text that is not JSON, if the cause is known. */
function hintFor(text: string): string | undefined {
  if (text.startsWith("\uFEFF")) return "save it as UTF-8 without a byte order mark";
  if (hasJsonLines(text)) return "pass a file with only one of its lines: each line is a JSON document";
  return undefined;
}

/** Whether the first two lines of a text are JSON documents (JSON lines). */
function hasJsonLines(text: string): boolean {
  const lines = text.split("\n", 2);
  try {
    return lines.length === 2 && lines.every((line) => isObject(JSON.parse(line)));
  } catch {
    return false;
  }
}

/**
 * Checks the keys and the nesting of valid JSON, in linear time and with constant stack. Only quotes, brackets and the positions
 * of keys matter.
 */
function refuseBadKeys(text: string, document: string): void {
  const open: (Set<string> | undefined)[] = []; // a set of keys for an object, undefined for an array
  let keyNext = false;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        const keys = keyNext ? open.at(-1) : undefined;
        if (keys) refuseKey(text.slice(at, end), keys, document);
        keyNext = false;
        at = end - 1;
        break;
      }
      case BRACE:
      case BRACKET:
        keyNext = text.charCodeAt(at) === BRACE;
        if (open.push(keyNext ? new Set() : undefined) > MAX_DEPTH) {
          throw new TsignError("bad-bundle", `${document} is nested deeper than ${MAX_DEPTH} levels`);
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

/** The position after the string that begins at `start`: after the next quote preceded by an even number of backslashes. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); ; quote = text.indexOf('"', quote + 1)) {
    let first = quote;
    while (text.charCodeAt(first - 1) === BACKSLASH) first--;
    if ((quote - first) % 2 === 0) return quote + 1;
  }
}

function refuseKey(literal: string, keys: Set<string>, document: string): void {
  const key = literal.includes("\\") ? (JSON.parse(literal) as string) : literal.slice(1, -1);
  if (keys.has(key)) throw new TsignError("bad-bundle", `${document} has duplicate key ${JSON.stringify(key)}`);
  if (key === "__proto__") throw new TsignError("bad-bundle", `${document} has a key named __proto__`);
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

/** Whether a JSON value is an object, and not null, an array or a raw number. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

/** Whether a value is a non-negative safe integer. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The object that is a member of another one; an empty one without such a member. */
export function objectAt(value: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  const member = value[name];
  return isObject(member) ? member : {};
}

/**
 * A JSON string, number or boolean as text; "" for anything else. String() is not safe for untrusted values: it throws for an
 * object with a member `toString`.
 */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : isScalar(value) ? String(value) : "";
}

function isScalar(value: unknown): value is number | boolean {
  return typeof value === "number" || typeof value === "boolean";
}
