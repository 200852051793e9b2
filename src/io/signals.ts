import { TsignError } from "../errors.ts";

/**
 * Ctrl-C and SIGTERM. As long as nothing has to be put in order the system's own way holds: the process ends at once, also in
 * the middle of a computation, in which no handler of ours would get its turn. While something has to be (a temporary file, a
 * child, a server), a first signal aborts `interruption` and a second one ends the process.
 */

/** Signals and the exit code that a shell shows for a program each has ended. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Name = keyof typeof SIGNALS;

const abort = new AbortController();
let holders = 0;

/** Aborted by a signal that came while signals were held, with a TsignError "cancelled". */
export const interruption: AbortSignal = abort.signal;

/** From now on a signal aborts `interruption` instead of ending the process. Every call needs its `releaseSignals`. */
export function holdSignals(): void {
  if (holders++ > 0) return;
  for (const name of Object.keys(SIGNALS) as Name[]) process.on(name, received);
}

export function releaseSignals(): void {
  if (--holders === 0) restore();
}

function received(name: NodeJS.Signals): void {
  if (abort.signal.aborted) {
    restore();
    process.kill(process.pid, name);
    return;
  }
  abort.abort(new TsignError("cancelled", "interrupted", { exitCode: SIGNALS[name as Name] }));
}

function restore(): void {
  for (const name of Object.keys(SIGNALS) as Name[]) process.removeListener(name, received);
}

/** Runs work that a signal must not cut off. */
export async function holdingSignals<T>(work: () => Promise<T>): Promise<T> {
  holdSignals();
  try {
    return await work();
  } finally {
    releaseSignals();
  }
}
