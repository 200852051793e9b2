import { AsyncLocalStorage } from "node:async_hooks";
import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";

/** The time for answers in commands, which --timeout ends before. Milliseconds. */
export const NO_DEADLINE = 2 ** 31 - 1;

/**
 * Gives each piece of work a time limit of its own: when it is over, the requests of that work are aborted, also those on
 * connections that it shares with other work.
 */
export class TimeLimits {
  /** What the work must use. Its signal is that of the work that reads it. */
  readonly io: Io;
  readonly #base: Io;
  readonly #milliseconds: number | undefined;
  readonly #signals = new AsyncLocalStorage<AbortSignal>();

  /** @param milliseconds the limit of each; undefined for none */
  constructor(io: Io, milliseconds: number | undefined) {
    this.#base = io;
    this.#milliseconds = milliseconds;
    const signals = this.#signals;
    this.io = Object.create(io, { signal: { get: () => signals.getStore() ?? io.signal } });
  }

  /**
   * Runs work within the limit.
   *
   * @param name of the work, for the error
   * @throws TsignError "timeout"
   */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const milliseconds = this.#milliseconds;
    if (milliseconds === undefined) return work();
    const stop = new AbortController();
    const done = new AbortController();
    const signal = AbortSignal.any([this.#base.signal, stop.signal]);
    const late = this.#base.sleep(milliseconds, done.signal).then(
      () => {
        const error = new TsignError("timeout", `${name}: not finished within ${milliseconds / 1000} s`);
        stop.abort(error);
        throw error;
      },
      () => new Promise<never>(() => {}), // the work has ended
    );
    try {
      return await Promise.race([this.#signals.run(signal, work), late]);
    } finally {
      done.abort(null);
      late.catch(() => {});
    }
  }
}
