/** Maps items, at most `limit` at a time, and returns the results in order. After a failure no further item is started. */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  map: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  const queue = items.entries();
  let failed = false;
  const worker = async () => {
    for (const [index, item] of queue) {
      if (failed) return;
      try {
        results[index] = await map(item, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}

export interface Ahead<T> {
  /** Most items being mapped at a time, including the one that the consumer is using. */
  readonly limit: number;
  /** Weight of an item, and the total weight that may be in progress; a heavier item is mapped alone. */
  readonly weigh?: (item: T) => number;
  readonly budget?: number;
}

/**
 * Maps a stream in order and ahead of its consumer: the next items are mapped while the consumer uses the current one. A
 * failure of the stream is thrown after the results of everything before it.
 */
export async function* mapAhead<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  { limit, weigh = () => 0, budget = Number.POSITIVE_INFINITY }: Ahead<T>,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const source = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const queue: { result: Promise<R>; weight: number }[] = [];
  let waiting: { item: T; weight: number } | undefined;
  let weight = 0;
  let ended = false;
  let failure: { error: unknown } | undefined;
  const fits = (next: number) => queue.length === 0 || (queue.length < limit && weight + next <= budget);
  const fill = async () => {
    while (!ended || waiting) {
      if (!waiting) {
        if (queue.length >= Math.max(1, limit)) return;
        const next = await source.next();
        if (next.done) {
          ended = true;
          return;
        }
        waiting = { item: next.value, weight: weigh(next.value) };
      }
      if (!fits(waiting.weight)) return;
      const result = map(waiting.item);
      result.catch(() => {}); // thrown when the consumer reaches it
      queue.push({ result, weight: waiting.weight });
      weight += waiting.weight;
      waiting = undefined;
    }
  };
  try {
    for (;;) {
      if (!failure) {
        await fill().catch((error: unknown) => {
          failure = { error };
          ended = true;
        });
      }
      const head = queue[0];
      if (!head) break;
      yield await head.result;
      queue.shift();
      weight -= head.weight;
    }
    if (failure) throw failure.error;
  } finally {
    if (!ended) await source.return?.();
  }
}

/** Results that may wait for one before them, as a multiple of the limit. */
const WAITING = 2;

/**
 * Runs work for each item, at most `limit` at a time, and yields the outcomes in the order of the items. A failure stops
 * nothing. While one item takes long, only so many of the later ones are done that memory stays bounded.
 */
export async function* settledInOrder<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<PromiseSettledResult<R>, void, undefined> {
  const source = items[Symbol.iterator]();
  const queue: Promise<PromiseSettledResult<R>>[] = [];
  let running = 0;
  let ended = false;
  const run = async (item: T): Promise<PromiseSettledResult<R>> => {
    running++;
    try {
      return { status: "fulfilled", value: await work(item) };
    } catch (reason) {
      return { status: "rejected", reason };
    } finally {
      running--;
      fill();
    }
  };
  const fill = () => {
    while (!ended && running < limit && queue.length < limit * WAITING) {
      const next = source.next();
      if (next.done) ended = true;
      else queue.push(run(next.value));
    }
  };
  fill();
  try {
    for (let head = queue[0]; head; head = queue[0]) {
      yield await head;
      queue.shift();
      fill();
    }
  } finally {
    ended = true;
  }
}
