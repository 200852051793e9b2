import { TsignError } from "../errors.ts";
import { withParts } from "../format/parts.ts";
import type { Io } from "../io/io.ts";
import { unanswered, waitingFor } from "../net/pending.ts";
import { formatDuration } from "./parser/values.ts";
import { showWaiting } from "./print/waiting.ts";
import { hasEnding } from "./stopping.ts";

/** Time in which a stopped command can say what is unfinished. Milliseconds. */
const ENDING = 3000;
/** The same for a command that serves, to answer its last requests. */
const SERVER_ENDING = 60_000;

/** How long a command may take. */
interface Limits {
  /** Milliseconds; infinite for no limit. */
  readonly limit: number;
  /** Whether it serves until it is stopped: then it has succeeded if it ends by itself after that. */
  readonly serves: boolean;
}

/** Runs a command until it ends, the timeout passes, or the user interrupts. */
export async function withTimeout({ limit, serves }: Limits, io: Io, run: (io: Io) => Promise<void>): Promise<void> {
  const timer = new AbortController();
  const done = new AbortController();
  const signal = AbortSignal.any([io.signal, timer.signal]);
  if (limit < 1) throw late(limit, signal); // timers are not that precise
  signal.throwIfAborted();
  const cancelDeadline = startTimer(io, { limit, timer, done: done.signal, signal });
  const stopped = new Promise<never>((_, fail) => {
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
  });
  showWaiting(io, () => unanswered(signal), done.signal).catch(() => {}); // only a display
  const running = run(withParts(io, { signal, spawn: spawnNamed(io, signal) }));
  try {
    await Promise.race([running, stopped]);
  } catch (error) {
    if (!signal.aborted || !hasEnding(signal)) throw error;
    cancelDeadline();
    const ended = running.then(() => true);
    const isDone = await Promise.race([ended, io.sleep(serves ? SERVER_ENDING : ENDING, done.signal)]);
    if (serves && isDone === true) return;
    throw error;
  } finally {
    done.abort();
    cancelDeadline();
  }
}

/** Starts the timer of --timeout. Returns a function that stops its watchdog. */
function startTimer(
  io: Io,
  of: { limit: number; timer: AbortController; done: AbortSignal; signal: AbortSignal },
): () => void {
  const { limit, timer, done, signal } = of;
  if (limit === Number.POSITIVE_INFINITY) return () => {};
  io.sleep(limit, done).then(
    () => timer.abort(late(limit, signal)),
    () => {},
  );
  const { message, hint } = late(limit, signal);
  return io.deadline(limit, `Error: ${message}\nhint: ${hint}\n`);
}

/** Ends child programs with the command, and names them in timeout errors. The user's own program (`inherit`) is not named. */
function spawnNamed(io: Io, signal: AbortSignal): Io["spawn"] {
  return (file, args, options = {}) => {
    const run = () => io.spawn(file, args, { signal, ...options });
    const isOwn = options.inherit || options.own;
    return isOwn ? run() : waitingFor(signal, file.replace(/^.*[/\\]/, ""), run);
  };
}

/** Builds the timeout error, with the service that has not answered, if any. */
function late(milliseconds: number, signal: AbortSignal): TsignError {
  const [service] = unanswered(signal);
  const waiting = service === undefined ? "" : `: no answer from ${service} yet`;
  return new TsignError("timeout", `the command took longer than --timeout ${formatDuration(milliseconds)}${waiting}`, {
    hint: "pass a longer --timeout, such as 10m",
  });
}
