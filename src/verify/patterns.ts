import { TsignError } from "../errors.ts";
import type { NamePattern } from "./model.ts";

/** Longest pattern, in characters: RE2 matches in linear time, but its compiled form grows with the pattern. */
const MAX_PATTERN = 4096;

/** A pattern that matches exactly one name. */
export function exactly(text: string): NamePattern {
  return { text, matches: (name) => name === text };
}

/**
 * A pattern in Go's regular expression syntax (RE2): not anchored, as in cosign, and matched in linear time.
 *
 * @throws TsignError "usage" for an invalid pattern, and for one of more than 4096 characters
 */
export async function matching(pattern: string): Promise<NamePattern> {
  if (pattern.length > MAX_PATTERN)
    throw new TsignError("usage", `regular expression is longer than ${MAX_PATTERN} characters`);
  const { RE2JS } = await import("re2js");
  try {
    const compiled = RE2JS.compile(pattern);
    const matches = (name: string) => compiled.matcher(name).find();
    return { text: `a match for ${pattern}`, matches, matchesNone: matches(""), loose: isLoose(pattern, matches) };
  } catch (cause) {
    throw new TsignError("usage", `error parsing regexp: ${pattern}`, { cause });
  }
}

/** Names that no certificate has: a pattern that matches one of them matches too much. */
const IMPROBABLE_NAMES = [
  "",
  "\u0001 nobody \u0001",
  "https://nobody.invalid/?x=\u0001",
  "nobody\u0001@nobody.invalid",
];

/** Whether a pattern may match unintended names: not anchored at both ends, alternatives outside a group, or it matches anything. */
function isLoose(pattern: string, matches: (name: string) => boolean): boolean {
  const anchored = /^(\^|\\A)/.test(pattern) && /(\$|\\z)$/.test(pattern) && !/\\\$$/.test(pattern);
  return !anchored || hasOuterAlternative(pattern) || IMPROBABLE_NAMES.some(matches);
}

/** Whether there is a `|` outside all groups and classes: then each anchor applies to one alternative only. */
function hasOuterAlternative(pattern: string): boolean {
  let depth = 0;
  for (const [token] of pattern.matchAll(/\\.|\[(?:\\.|[^\]])*\]|./gs)) {
    if (token === "(") depth++;
    else if (token === ")") depth--;
    else if (token === "|" && depth === 0) return true;
  }
  return false;
}
