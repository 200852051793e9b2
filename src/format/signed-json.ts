import { TsignError } from "../errors.ts";
import { isObject, parseJson } from "./json.ts";

/**
 * The members of a signed document that tsign reads: their names, and of each what is read in it. A list stands for each of its
 * items. A member with nothing in it is read as it is, or is a map whose keys the signer chose.
 */
export interface MemberNames {
  readonly [name: string]: MemberNames;
}

/**
 * Parses JSON that is signed. Besides what parseJson refuses, a member is refused that another reader would take for one that is
 * read here: Go's encoding/json ignores case (by Unicode's simple folding, under which ſ is s and the Kelvin sign k) and lets the
 * last such member win, its second version can ignore `_` and `-` as well, and protobuf's JSON takes a field in camel and in snake
 * case. Who reads the document so would see another artifact, or another type, than what was verified.
 *
 * @param names the members that are read; all others may be there
 * @param what names the document in the error
 * @throws TsignError "bad-bundle"
 */
export function parseSignedJson(bytes: Uint8Array, names: MemberNames, what: string): unknown {
  const value = parseJson(bytes, what);
  refuseLookalikes(value, names, what);
  return value;
}

/**
 * The check of parseSignedJson, for a value that was parsed as part of another document.
 *
 * @throws TsignError "bad-bundle"
 */
export function refuseLookalikes(value: unknown, names: MemberNames, what: string): void {
  if (Array.isArray(value)) {
    for (const item of value) refuseLookalikes(item, names, what);
    return;
  }
  if (!isObject(value)) return;
  const known = Object.keys(names);
  if (known.length === 0) return;
  const byFolded = new Map(known.map((name) => [fold(name), name]));
  for (const [key, item] of Object.entries(value)) {
    const name = byFolded.get(fold(key));
    if (name === undefined) continue;
    if (name !== key) {
      throw new TsignError(
        "bad-bundle",
        `${what} has the member ${JSON.stringify(key)}, which other programs read as "${name}"`,
      );
    }
    refuseLookalikes(item, names[name] ?? {}, what);
  }
}

/** A member's name as the most lenient reader compares it. The two are all that simple folding takes for an ASCII letter. */
function fold(name: string): string {
  return name
    .replaceAll(/[-_]/g, "")
    .replaceAll("\u017f", "s")
    .replaceAll("\u212a", "k")
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

type SourceReviver = (key: string, value: unknown, context: { readonly source: string }) => unknown;

/**
 * Parses JSON for printing it again: every number is what JSON.stringify writes as it stands in the text, where a double would be
 * rounded beyond 2^53. Nothing is refused that JSON.parse takes.
 *
 * @throws SyntaxError
 */
export function parseForPrinting(text: string): unknown {
  const keepNumbers: SourceReviver = (_, value, { source }) =>
    typeof value === "number" ? JSON.rawJSON(source) : value;
  return JSON.parse(text, keepNumbers as (key: string, value: unknown) => unknown);
}
