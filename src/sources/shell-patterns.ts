/** A word that the build would refuse. The caller adds file and line to the message. */
export class ShellSyntaxError extends Error {}

/** Called with the number of characters to be examined; throws when the limit is reached. */
type Spend = (steps: number) => void;

/** A part of a pattern: one character, any one character (`?`), or any number of them (`*`). */
type Part = { readonly character: string } | "any" | "many";

/**
 * `${A#pattern}` and `${A%pattern}`: the value without what the pattern matches at its start or end.
 *
 * @throws ShellSyntaxError for a pattern with a wrong escape
 */
export function trimPattern(
  value: string,
  pattern: string,
  { longest, fromEnd, spend }: { longest: boolean; fromEnd: boolean; spend: Spend },
): string {
  spend(value.length * (pattern.length + 1));
  const characters = fromEnd ? [...value].reverse() : [...value];
  const parts = readPattern(pattern);
  if (fromEnd) parts.reverse();
  const end = matchEnd(characters, parts, { start: 0, longest });
  if (end === undefined) return value;
  const rest = characters.slice(end);
  return (fromEnd ? rest.reverse() : rest).join("");
}

/**
 * `${A/pattern/replacement}` and `${A//pattern/replacement}`: the longest match that begins first, or all of them.
 *
 * @throws ShellSyntaxError for a pattern with a wrong escape, and, when all matches are replaced, for an empty pattern and for
 *   `$` in the replacement, which BuildKit reads as a group of a regular expression
 */
export function replacePattern(
  value: string,
  pattern: string,
  { replacement, all, spend }: { replacement: string; all: boolean; spend: Spend },
): string {
  const parts = readPattern(pattern);
  const matchesNothing = parts.every((part) => part === "many");
  if (all && (replacement.includes("$") || matchesNothing)) {
    throw new ShellSyntaxError("a replacement of all matches with $ or for an empty pattern is not supported");
  }
  const characters = [...value];
  let result = "";
  let start = 0;
  spend(value.length);
  while (start <= characters.length) {
    const end = matchEnd(characters, parts, { start, longest: true, spend });
    if (end === undefined) {
      result += characters[start] ?? "";
      start++;
      continue;
    }
    result += replacement;
    if (!all) return result + characters.slice(end).join("");
    start = end;
  }
  return result;
}

function readPattern(pattern: string): Part[] {
  return Array.from(pattern.matchAll(/\\.|./gsu), ([part]) => {
    if (part === "*") return "many";
    if (part === "?") return "any";
    if (!part.startsWith("\\")) return { character: part };
    if (!/^\\[}/*?\\]$/.test(part)) throw new ShellSyntaxError(`bad escape ${part} in a pattern`);
    return { character: part.slice(1) };
  });
}

/** The end of the shortest or longest match from `start`; undefined if there is none. Nothing matches a line break. */
function matchEnd(
  characters: readonly string[],
  parts: readonly Part[],
  { start, longest, spend }: { start: number; longest: boolean; spend?: Spend },
): number | undefined {
  let reached = skipMany(parts, [0]);
  let found = reached.has(parts.length) ? start : undefined;
  for (let at = start; at < characters.length && reached.size > 0; at++) {
    if (found !== undefined && !longest) return found;
    spend?.(reached.size);
    const character = characters[at];
    const next: number[] = [];
    for (const index of reached) {
      const part = parts[index];
      if (part === undefined) continue;
      if (part === "many" && character !== "\n") next.push(index);
      else if (part === "any" ? character !== "\n" : part !== "many" && part.character === character)
        next.push(index + 1);
    }
    reached = skipMany(parts, next);
    if (reached.has(parts.length)) found = at + 1;
  }
  return found;
}

/** The pattern positions reachable without input: `*` may match nothing. */
function skipMany(parts: readonly Part[], positions: readonly number[]): Set<number> {
  const reached = new Set<number>();
  for (let position of positions) {
    while (!reached.has(position)) {
      reached.add(position);
      if (parts[position] !== "many") break;
      position++;
    }
  }
  return reached;
}
