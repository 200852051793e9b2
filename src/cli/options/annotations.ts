import { TsignError } from "../../errors.ts";

/**
 * `key=value` pairs, split at the first `=`, to be signed or stored: a key has one value.
 *
 * @throws TsignError "usage", also for a key that is given twice with different values
 */
export function parseAnnotations(pairs: readonly string[]): Record<string, string> {
  const entries = Object.entries(requiredAnnotations(pairs)).map(([key, [value = "", ...others]]) => {
    if (others.length > 0) {
      throw new TsignError("usage", `the annotation ${key} is given twice, as "${value}" and as "${others[0]}"`, {
        hint: "an annotation has one value: leave one of them out",
      });
    }
    return [key, value] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * `key=value` pairs, split at the first `=`, that must all be signed: every value that was given, by its key.
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
