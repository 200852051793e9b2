import { TsignError } from "../errors.ts";
import { isObject, parseJson } from "./json.ts";

/**
 * The members of a signed document that tsign reads, with their own members. For a list, those of each item. A member without
 * members is read as it is, or is a map with keys chosen by the signer.
 */
export interface MemberNames {
  readonly [name: string]: MemberNames;
}

/**
 * Parses signed JSON. Besides what parseJson refuses, it refuses a member that another parser could read as one of `names`: Go's
 * encoding/json ignores case (by Unicode's simple folding, where ſ equals s and the Kelvin sign k) and uses the last such member,
 * its second version can ignore `_` and `-` as well, and protobuf's JSON accepts camel and snake case. Such a parser would see
 * another artifact or type than was verified.
 *
 * @param names the members that are read; other members are allowed
 * @param document name of the document in errors
 * @throws TsignError "bad-bundle"
 */
export function parseSignedJson(bytes: Uint8Array, names: MemberNames, document: string): unknown {
  const value = parseJson(bytes, document);
  refuseLookalikes(value, names, document);
  return value;
}

/**
 * The check of parseSignedJson, for a value that was parsed as part of another document.
 *
 * @throws TsignError "bad-bundle"
 */
export function refuseLookalikes(value: unknown, names: MemberNames, document: string): void {
  if (Array.isArray(value)) {
    for (const item of value) refuseLookalikes(item, names, document);
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
        `${document} has the member ${JSON.stringify(key)}, which other programs read as "${name}"`,
      );
    }
    refuseLookalikes(item, names[name] ?? {}, document);
  }
}

/** Folds a member's name like the most lenient parser. ſ and the Kelvin sign are the only letters that fold to ASCII. */
function fold(name: string): string {
  return name
    .replaceAll(/[-_]/g, "")
    .replaceAll("\u017f", "s")
    .replaceAll("\u212a", "k")
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

type SourceReviver = (key: string, value: unknown, context: { readonly source: string }) => unknown;

/**
 * Parses JSON for printing it again: JSON.stringify writes every number as in the source, where a double would be rounded beyond
 * 2^53. Accepts whatever JSON.parse accepts.
 *
 * @throws SyntaxError
 */
export function parseForPrinting(text: string): unknown {
  const keepNumbers: SourceReviver = (_, value, { source }) =>
    typeof value === "number" ? JSON.rawJSON(source) : value;
  return JSON.parse(text, keepNumbers as (key: string, value: unknown) => unknown);
}
