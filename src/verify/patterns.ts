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
    const matches = (name: string) => compiled.matcher(name).find();
    return { text: `a match of ${pattern}`, matches, matchesNone: matches(""), loose: isLoose(pattern, matches) };
  } catch (cause) {
    throw new TsignError("usage", `error parsing regexp: ${pattern}`, { cause });
  }
}

/** Names nobody has: a pattern that takes them takes anything. */
const NONSENSE = ["", "\u0001 nobody \u0001", "https://nobody.invalid/?x=\u0001", "nobody\u0001@nobody.invalid"];

/** Anchored at both ends, with alternatives inside them only, and not for everyone: anything else is easily mistaken. */
function isLoose(pattern: string, matches: (name: string) => boolean): boolean {
  const anchored = /^(\^|\\A)/.test(pattern) && /(\$|\\z)$/.test(pattern) && !/\\\$$/.test(pattern);
  return !anchored || hasOuterAlternative(pattern) || NONSENSE.some(matches);
}

/** Whether a `|` stands outside every group and class: then an anchor holds for one side of it only. */
function hasOuterAlternative(pattern: string): boolean {
  let depth = 0;
  for (const [token] of pattern.matchAll(/\\.|\[(?:\\.|[^\]])*\]|./gs)) {
    if (token === "(") depth++;
    else if (token === ")") depth--;
    else if (token === "|" && depth === 0) return true;
  }
  return false;
}
