import { TsignError } from "../errors.ts";

const MAX_DEPTH = 64;

/**
 * Parses JSON from outside. Stricter than JSON.parse where two readers could disagree on what a signed document says:
 * invalid UTF-8, a repeated key, and nesting deeper than 64 are refused.
 *
 * @param what names the document in the error
 * @throws TsignError "bad-bundle"
 */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TsignError("bad-bundle", `${what} is not UTF-8 text`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TsignError("bad-bundle", `${what} is not valid JSON`, { cause });
  }
  refuseRepeatedKeys(text, what);
  return value;
}

/** Walks the tokens of a text that is known to be valid JSON. */
function refuseRepeatedKeys(text: string, what: string): void {
  const open: (Set<string> | undefined)[] = []; // a set of keys for an object, undefined for an array
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;
  let pending: string | undefined;
  for (const [text_] of text.matchAll(token)) {
    const keys = open.at(-1);
    if (text_ === "{" || text_ === "[") {
      if (open.push(text_ === "{" ? new Set() : undefined) > MAX_DEPTH) {
        throw new TsignError("bad-bundle", `${what} is nested deeper than ${MAX_DEPTH} levels`);
      }
    } else if (text_ === "}" || text_ === "]") open.pop();
    else if (text_ === ":" && keys && pending !== undefined) {
      const key = JSON.parse(pending) as string;
      if (keys.has(key)) throw new TsignError("bad-bundle", `${what} has the key ${JSON.stringify(key)} twice`);
      keys.add(key);
    }
    pending = text_.startsWith('"') ? text_ : undefined;
  }
}

/** Whether a JSON value is an object (not null, not an array). */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
