import { TsignError } from "../errors.ts";
import { exactly, matching } from "../verify/patterns.ts";
import { type Glob, isExact, matchesGlob, parseGlob } from "./glob.ts";
import type { TextPattern } from "./model.ts";
import type { PatternText } from "./schema.ts";

const MAX_PATTERN = 1024;

/**
 * Compiles a pattern: a text exactly, a glob, or a regular expression (RE2), which must match the whole text.
 *
 * @throws TsignError "input" for an invalid one
 */
export async function compilePattern(pattern: PatternText | { readonly none: true }): Promise<TextPattern> {
  if (typeof pattern === "string") return { text: pattern, matches: exactly(pattern).matches };
  if ("none" in pattern) return { text: "none", none: true, matches: () => false };
  return "glob" in pattern ? globPattern(pattern.glob) : regexpPattern(pattern.regexp);
}

/**
 * Compiles a pattern for names that are denied, in any case: a provider of identities may let a user change the case of an address.
 *
 * @throws TsignError "input" for an invalid one
 */
export async function compileDenied(pattern: PatternText): Promise<TextPattern> {
  const { text, matches } = await compilePattern(pattern);
  const folded = await compilePattern(inAnyCase(pattern));
  return { text, matches: (name) => matches(name) || folded.matches(name.toLowerCase()) };
}

function inAnyCase(pattern: PatternText): PatternText {
  if (typeof pattern === "string") return pattern.toLowerCase();
  return "glob" in pattern ? { glob: pattern.glob.toLowerCase() } : { regexp: `(?i)${pattern.regexp}` };
}

function globPattern(text: string): TextPattern {
  const glob = text.length > MAX_PATTERN ? undefined : parseGlob(text);
  if (!glob) throw new TsignError("input", `invalid glob: "${text}"`, { hint: "write * or ** for any run" });
  const loose = looseness(glob);
  const matches = (value: string) => matchesGlob(glob, value);
  return { text: `glob ${text}`, matches, ...(loose === undefined ? {} : { loose }) };
}

/** Why a glob may match unintended texts: it ends an organization, host or address open. */
function looseness(glob: Glob): string | undefined {
  const { text } = glob;
  if (isExact(glob)) return undefined;
  if (/^\*+$/.test(text)) return "matches every text";
  if (/^\*\*/.test(text)) return "begins with **, so any host or owner matches";
  if (/^https?:\/\/[^/]*\*/.test(text) && !/^https?:\/\/\*\.[^/*]+\.[^/*]+\//.test(text)) return "wildcard in a host";
  if (/@[^/]*\*/.test(text) && !text.includes("/")) return "wildcard in the domain of an address";
  if (/^https:\/\/github\.com\/[^/]*\*/.test(text)) return "wildcard in the owner of a repository";
  return undefined;
}

async function regexpPattern(text: string): Promise<TextPattern> {
  await compiled(text); // alone, so that no parenthesis of it closes the group around it
  const { matches } = await compiled(`\\A(?:${text})\\z`);
  const loose = ["", "\u0001", "https://nobody.invalid/\u0001", "nobody\u0001@nobody.invalid"].some((each) =>
    matches(each),
  );
  return {
    text: `regular expression ${text}`,
    matches: (value) => matches(value),
    ...(loose ? { loose: "matches unrelated texts" } : {}),
  };
}

async function compiled(text: string) {
  try {
    return await matching(text);
  } catch (error) {
    if (error instanceof TsignError && error.code === "usage")
      throw new TsignError("input", error.message, { cause: error });
    throw error;
  }
}
