/** `npm test` runs one mutation in ten; all of them run with TSIGN_ALL_MUTATIONS=1, as in .ci/run. */
export const EVERY = process.env["TSIGN_ALL_MUTATIONS"] === "1" ? 1 : 10;

/** Yields every tenth mutation, or all of them. Another `turn` begins with another one. */
export function* some<T>(changes: Iterable<T>, turn = 0): Generator<T> {
  let index = turn;
  for (const change of changes) if (index++ % EVERY === 0) yield change;
}
