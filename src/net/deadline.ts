import type { TsignError } from "../errors.ts";
import type { TransportIo } from "./retry.ts";

/** What happens when something takes too long: the work behind it is aborted with an error, which is created only then. */
interface Late {
  readonly milliseconds: number;
  readonly stop: AbortController;
  readonly error: () => TsignError;
}

/** Waits for a promise for a limited time, then aborts the work behind it and throws the error. */
export async function withDeadline<T>(
  io: Pick<TransportIo, "sleep">,
  promise: Promise<T>,
  { milliseconds, stop, error }: Late,
): Promise<T> {
  const done = new AbortController();
  const timer = io.sleep(milliseconds, done.signal).then(
    () => {
      const late = error();
      stop.abort(late);
      throw late;
    },
    () => promise, // the timer was cancelled
  );
  try {
    return await Promise.race([promise, timer]);
  } finally {
    done.abort(null); // without a reason, an exception would be created
    timer.catch(() => {});
  }
}

/**
 * Passes a stream on, and ends it with the error when a piece takes longer than the limit; after the first piece this is noticed
 * within twice the limit. One timer serves all pieces, because a timer for each takes longer than hashing it. The time that the
 * reader takes does not count.
 */
export async function* withoutPauses<T>(
  io: Pick<TransportIo, "sleep">,
  pieces: AsyncIterable<T>,
  { milliseconds, stop, error }: Late,
): AsyncIterable<T> {
  const iterator = pieces[Symbol.asyncIterator]();
  const ended = new AbortController();
  let isWatching = false;
  let isNew = true;
  let fail: ((reason: TsignError) => void) | undefined;
  const watch = async () => {
    while (fail) {
      isNew = false;
      await io.sleep(milliseconds, ended.signal);
      if (!fail || isNew) continue;
      const late = error();
      stop.abort(late);
      return fail(late);
    }
    isWatching = false;
  };
  const next = () =>
    new Promise<IteratorResult<T>>((done, failed) => {
      fail = failed;
      isNew = true;
      if (!isWatching) {
        isWatching = true;
        watch().catch(() => {}); // the stream has ended
      }
      iterator.next().then(done, failed);
    });
  try {
    for (;;) {
      const { done, value } = await next();
      fail = undefined;
      if (done) return;
      yield value;
    }
  } finally {
    ended.abort(null);
  }
}
