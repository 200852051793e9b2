import { TsignError } from "../errors.ts";
import type { NamePattern } from "./model.ts";

/** Longest pattern compiled, in characters; RE2 is linear in the name, but its programs grow with the pattern. */
const MAX_PATTERN = 4096;

/** Matches the name and nothing else. */
export function exactly(text: string): NamePattern {
  return { text, matches: (name) => name === text };
}

/**
 * Go's regular expressions (RE2 syntax): unanchored, as cosign's, and linear in time whatever pattern and name.
 *
 * @throws TsignError "usage" for a pattern RE2 does not take
 */
export async function matching(pattern: string): Promise<NamePattern> {
  if (pattern.length > MAX_PATTERN) throw new TsignError("usage", `a pattern is longer than ${MAX_PATTERN} characters`);
  const { RE2JS } = await import("re2js");
  try {
    const compiled = RE2JS.compile(pattern);
    return { text: `a match of ${pattern}`, matches: (name) => compiled.matcher(name).find() };
  } catch (cause) {
    throw new TsignError("usage", `error parsing regexp: ${pattern}`, { cause });
  }
}
