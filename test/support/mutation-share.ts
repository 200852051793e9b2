/** `npm test` runs one mutation in five; all of them run with TSIGN_ALL_MUTATIONS=1, as in .ci/run. */
export const EVERY = process.env["TSIGN_ALL_MUTATIONS"] === "1" ? 1 : 5;

/** Yields every fifth mutation, or all of them. Another `turn` begins with another one. */
export function* some<T>(changes: Iterable<T>, turn = 0): Generator<T> {
  let index = turn;
  for (const change of changes) if (index++ % EVERY === 0) yield change;
}
