import { TsignError } from "../../errors.ts";

/**
 * Parses `key=value` pairs to sign or store, split at the first `=`. A key has one value.
 *
 * @throws TsignError "usage", also for a key with two different values
 */
export function parseAnnotations(pairs: readonly string[]): Record<string, string> {
  const entries = Object.entries(requiredAnnotations(pairs)).map(([key, [value = "", ...others]]) => {
    if (others.length > 0) {
      throw new TsignError("usage", `annotation ${key} has two values: "${value}" and "${others[0]}"`, {
        hint: "leave one of them out",
      });
    }
    return [key, value] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * Parses `key=value` pairs that must all be signed, split at the first `=`. Returns all values of each key.
 *
 * @throws TsignError "usage"
 */
export function requiredAnnotations(pairs: readonly string[]): Record<string, readonly string[]> {
  const values = new Map<string, Set<string>>();
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals < 0) throw new TsignError("usage", `unable to parse annotation: ${pair}`, { hint: "write key=value" });
    const key = pair.slice(0, equals);
    values.set(key, (values.get(key) ?? new Set()).add(pair.slice(equals + 1)));
  }
  return Object.fromEntries([...values].map(([key, found]) => [key, [...found]]));
}
