import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { TsignError } from "../errors.ts";
import { withDeadline, withoutPauses } from "./deadline.ts";

/** Sleeps that are counted; `awake()` is the number that have not ended. */
function clock() {
  let asleep = 0;
  let sleeps = 0;
  const io = {
    sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
      asleep++;
      sleeps++;
      return after(milliseconds, undefined, { signal }).finally(() => asleep--) as Promise<void>;
    },
  };
  return { io, asleep: () => asleep, sleeps: () => sleeps };
}

function limit(milliseconds: number) {
  const created: TsignError[] = [];
  const error = () => {
    const each = new TsignError("timeout", "too late");
    created.push(each);
    return each;
  };
  return { late: { milliseconds, stop: new AbortController(), error }, created };
}

async function* stream(count: number, pause: (index: number) => Promise<unknown> | undefined) {
  for (let index = 0; index < count; index++) {
    await pause(index);
    yield index;
  }
}

test("withDeadline: work in time -> its result or error, no exception of its own", async () => {
  const { io, asleep } = clock();
  const { late, created } = limit(1000);
  assert.equal(await withDeadline(io, Promise.resolve(7), late), 7);
  await assert.rejects(withDeadline(io, Promise.reject(new Error("its own")), late), /its own/);
  await after(0);
  assert.deepEqual([asleep(), created, late.stop.signal.aborted], [0, [], false]);
});

test("withDeadline: work that takes longer -> aborted, and the error", async () => {
  const { late, created } = limit(10);
  const work = after(10_000, undefined, { signal: late.stop.signal });
  await assert.rejects(withDeadline(clock().io, work, late), (error) => error === created[0]);
  assert.equal(late.stop.signal.reason, created[0]);
  await assert.rejects(work);
});

test("withoutPauses: stream in time -> every piece, one timer", async () => {
  const { io, asleep, sleeps } = clock();
  const { late, created } = limit(60_000);
  const all: number[] = [];
  for await (const piece of withoutPauses(
    io,
    stream(1000, () => undefined),
    late,
  ))
    all.push(piece);
  assert.equal(all.length, 1000);
  await after(0);
  assert.deepEqual([asleep(), sleeps(), created, late.stop.signal.aborted], [0, 1, [], false]);
});

test("withoutPauses: many short pauses -> every piece, even if they last longer than the limit together", async () => {
  const { late } = limit(80);
  const pieces = await collect(
    withoutPauses(
      clock().io,
      stream(12, () => after(20)),
      late,
    ),
  );
  assert.equal(pieces.length, 12);
});

test("withoutPauses: slow reader -> every piece", async () => {
  const { io, asleep } = clock();
  const { late } = limit(20);
  let count = 0;
  for await (const _ of withoutPauses(
    io,
    stream(3, () => undefined),
    late,
  )) {
    await after(60);
    count++;
  }
  await after(0);
  assert.deepEqual([count, asleep()], [3, 0]);
});

for (const at of [0, 2]) {
  test(`withoutPauses: pause before piece ${at} -> aborted after the limit`, async () => {
    const { late, created } = limit(100);
    const pieces: number[] = [];
    const started = performance.now();
    const reading = (async () => {
      const source = stream(3, (index) => (index === at ? new Promise(() => {}) : undefined));
      for await (const piece of withoutPauses(clock().io, source, late)) pieces.push(piece);
    })();
    await assert.rejects(reading, (error) => error === created[0]);
    assert.ok(performance.now() - started >= 99, "not before the limit");
    assert.deepEqual([pieces.length, created.length, late.stop.signal.reason], [at, 1, created[0]]);
  });
}

test("withoutPauses: error of the stream, and a reader that stops -> no timer remains", async () => {
  const { io, asleep } = clock();
  const { late } = limit(60_000);
  const broken = stream(3, (index) => (index === 1 ? Promise.reject(new Error("broken")) : undefined));
  await assert.rejects(collect(withoutPauses(io, broken, late)), /broken/);
  for await (const _ of withoutPauses(
    io,
    stream(3, () => undefined),
    late,
  ))
    break;
  await after(0);
  assert.equal(asleep(), 0);
});

async function collect<T>(pieces: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}
