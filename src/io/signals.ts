import { TsignError } from "../errors.ts";

/**
 * Handling of Ctrl-C and SIGTERM. Normally the default applies: the process ends at once, even during a computation, when no
 * handler could run. While cleanup is needed (a temporary file, a child process, a server), the first signal aborts
 * `interruption` and the second ends the process.
 */

/** Signals, with the exit code that shells report for a program ended by each. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type Name = keyof typeof SIGNALS;

const abort = new AbortController();
let holders = 0;

/** Aborted with a TsignError "cancelled" by a signal that arrives while signals are held. */
export const interruption: AbortSignal = abort.signal;

/** Makes signals abort `interruption` instead of ending the process, until `releaseSignals` is called as many times. */
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

/** Runs work that a signal must not interrupt without cleanup. */
export async function holdingSignals<T>(work: () => Promise<T>): Promise<T> {
  holdSignals();
  try {
    return await work();
  } finally {
    releaseSignals();
  }
}
