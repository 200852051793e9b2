/** Number of similar words that are worth showing. */
const MAX_SUGGESTIONS = 3;

/**
 * Returns the candidates that a misspelt word may mean, the most similar first, at most three: within two edits (one
 * for words of up to three letters), or beginning with the word. Case is ignored.
 */
export function nearest(word: string, candidates: readonly string[]): string[] {
  const written = word.toLowerCase();
  const limit = written.length <= 3 ? 1 : 2;
  const scored = candidates.map((candidate) => ({ candidate, distance: distance(written, candidate.toLowerCase()) }));
  return scored
    .filter((each) => each.distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ candidate }) => candidate);
}

/** Returns `did you mean a, b or c?` for the candidates nearest to a word; undefined if no candidate is near. */
export function didYouMean(
  word: string,
  candidates: readonly string[],
  shown = (candidate: string) => candidate,
): string | undefined {
  const names = nearest(word, candidates).map(shown);
  if (names.length === 0) return undefined;
  const last = names.at(-1);
  return `did you mean ${names.length > 1 ? `${names.slice(0, -1).join(", ")} or ${last}` : last}?`;
}

/** Returns the number of edits between two words; a word of three letters or more is one edit from what begins with it. */
function distance(word: string, candidate: string): number {
  const edits = editDistance(word, candidate);
  return word.length >= 3 && candidate.startsWith(word) ? Math.min(1, edits) : edits;
}

/** Counts edits of one letter; a transposition of neighbours is one edit (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(Math.min(replaced, at(i - 1, j) + 1, at(i, j - 1) + 1, swapped ? at(i - 2, j - 2) + 1 : replaced));
    }
  }
  return at(a.length, b.length);
}
