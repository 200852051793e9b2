import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { settledInOrder } from "./parallel.ts";

test("settledInOrder: outcomes in the order of the items, at most `limit` at a time, a failure stops nothing", async () => {
  let running = 0;
  let most = 0;
  const work = async (item: number) => {
    most = Math.max(most, ++running);
    await sleep(item % 3 === 0 ? 8 : 1);
    running--;
    if (item % 4 === 0) throw item;
    return item;
  };
  const found: unknown[] = [];
  for await (const each of settledInOrder(Array(20).keys(), 5, work)) {
    found.push(each.status === "fulfilled" ? each.value : -each.reason);
  }
  assert.deepEqual(
    found,
    [...Array(20).keys()].map((item) => (item % 4 === 0 ? -item : item)),
  );
  assert.equal(most, 5);
  for await (const _ of settledInOrder([], 5, work)) assert.fail("no items");
});

test("settledInOrder: a slow item, or a consumer that leaves -> only a bounded number of later ones is started", async () => {
  let started = 0;
  const slow = Promise.withResolvers<void>();
  const outcomes = settledInOrder(Array(1000).keys(), 4, async (item) => {
    started++;
    if (item === 0) await slow.promise;
  });
  const first = outcomes.next();
  await sleep(5);
  assert.equal(started, 8);
  slow.resolve();
  await first;
  await outcomes.return();
  const before = started;
  await sleep(5);
  assert.equal(started, before);
});
