/**
 * A glob: `*` stands for any run of characters without `/`, `**` for any run, as in ClusterImagePolicy. A run may be empty. The
 * glob matches a whole text, and every other character matches itself.
 */
export interface Glob {
  readonly text: string;
  /** In order: one character, or a run of characters. */
  readonly parts: readonly Part[];
}

type Part = { readonly character: string } | { readonly run: "any" | "without /" };

/** Most states that `isCovered` visits; it gives up above that. */
const MAX_STATES = 20_000;

/** Parses a glob. Undefined for three or more stars in a row, which have no meaning. */
export function parseGlob(text: string): Glob | undefined {
  if (text.includes("***")) return undefined;
  const parts = text.match(/\*\*|./gsu) ?? [];
  return {
    text,
    parts: parts.map((part) => {
      if (part === "**") return { run: "any" };
      return part === "*" ? { run: "without /" } : { character: part };
    }),
  };
}

/** Whether a glob has no `*`: it matches one text. */
export function isExact({ parts }: Glob): boolean {
  return parts.every((part) => "character" in part);
}

/** Whether the glob matches the whole text. Takes time in the order of both lengths' product. */
export function matchesGlob({ parts }: Glob, text: string): boolean {
  let states = closure(parts, [0]);
  for (const character of text) states = step(parts, states, character);
  return states.has(parts.length);
}

/**
 * Whether every text that `glob` matches is matched by one of `others`. False also where that would take too long to find out.
 */
export function isCovered(glob: Glob, others: readonly Glob[]): boolean {
  const characters = alphabet([glob, ...others]);
  const start = { at: [...closure(glob.parts, [0])], covering: others.map(({ parts }) => closure(parts, [0])) };
  const seen = new Set<string>();
  const open = start.at.map((at) => ({ at, covering: start.covering }));
  for (let state = open.pop(); state; state = open.pop()) {
    const key = `${state.at};${state.covering.map((each) => [...each].sort((a, b) => a - b).join()).join(";")}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > MAX_STATES) return false;
    const { at, covering } = state;
    if (at === glob.parts.length && !covering.some((each, index) => each.has(others[index]?.parts.length ?? -1)))
      return false;
    for (const character of characters) {
      const next = step(glob.parts, new Set([at]), character);
      if (next.size === 0) continue;
      const stepped = others.map(({ parts }, index) => step(parts, covering[index] ?? new Set(), character));
      for (const each of next) open.push({ at: each, covering: stepped });
    }
  }
  return true;
}

/** The characters of the globs, `/`, and one that stands for all others. */
function alphabet(globs: readonly Glob[]): string[] {
  const own = globs.flatMap(({ parts }) => parts.flatMap((part) => ("character" in part ? [part.character] : [])));
  return [...new Set([...own, "/", "\u0000"])];
}

/** Positions with those behind runs, which may be empty. */
function closure(parts: readonly Part[], positions: Iterable<number>): ReadonlySet<number> {
  const found = new Set(positions);
  for (const at of found) {
    const part = parts[at];
    if (part && "run" in part) found.add(at + 1); // a Set visits what is added while it is iterated
  }
  return found;
}

/** The positions after one character. */
function step(parts: readonly Part[], positions: ReadonlySet<number>, character: string): ReadonlySet<number> {
  const next: number[] = [];
  for (const at of positions) {
    const part = parts[at];
    if (part === undefined) continue;
    if ("character" in part) {
      if (part.character === character) next.push(at + 1);
    } else if (part.run === "any" || character !== "/") next.push(at);
  }
  return closure(parts, next);
}
