/** What a stopped command still does before it ends: it names what is unfinished, and writes its reports. */
const endings = new WeakMap<AbortSignal, Set<Promise<unknown>>>();

/**
 * Runs work that `main` gives a moment to end after `signal` is aborted. The work must end by itself then.
 *
 * @param signal the signal that ends the command
 */
export async function withEnding<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const known = endings.get(signal) ?? new Set();
  endings.set(signal, known);
  const running = work();
  known.add(running);
  try {
    return await running;
  } finally {
    known.delete(running);
  }
}

/** Whether there is work that must end before the command does. */
export function hasEnding(signal: AbortSignal): boolean {
  return (endings.get(signal)?.size ?? 0) > 0;
}
