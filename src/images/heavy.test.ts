import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { memoryStore } from "../../test/support/memory-store.ts";
import { digestOf } from "../format/digest.ts";
import { HeavyTurns } from "./heavy.ts";
import type { ImageTarget } from "./open.ts";

const MIB = 1024 * 1024;

/** Reads blobs of the given sizes for images at the same time. @returns the most images that had more than 8 MiB at a time */
async function mostHeavy(images: readonly (readonly number[])[], work = async () => {}): Promise<number> {
  const turns = new HeavyTurns();
  const store = { ...memoryStore(), blob: async () => new Uint8Array() };
  const digest = digestOf(Buffer.from("image"));
  const target: ImageTarget = { name: "i", reference: "i", digest, store, attachments: store, repository: "" };
  let heavy = 0;
  let most = 0;
  const runs = images.map((sizes) =>
    turns.run(target, async ({ attachments }) => {
      let total = 0;
      for (const size of sizes) {
        const before = total > 8 * MIB;
        total += size;
        await attachments.blob({ digest, size, mediaType: "x" }, { maxBytes: size });
        if (total > 8 * MIB && !before) most = Math.max(most, ++heavy);
        await sleep(1);
      }
      try {
        await work();
      } finally {
        if (total > 8 * MIB) heavy--;
      }
    }),
  );
  await Promise.allSettled(runs);
  return most;
}

test("HeavyTurns: one image at a time has more than 8 MiB, also if some fail; light ones do not wait", async () => {
  assert.equal(await mostHeavy([[9 * MIB, 1], [5 * MIB, 5 * MIB], [128 * MIB], [1], [2 * MIB]]), 1);
  let failing = 0;
  const fail = async () => {
    if (failing++ % 2 === 0) throw new Error("failed");
  };
  assert.equal(await mostHeavy([[9 * MIB], [9 * MIB], [9 * MIB], [9 * MIB]], fail), 1);
  assert.equal(await mostHeavy([[8 * MIB], [8 * MIB]]), 0);
});

test("HeavyTurns: an image that waits too long gives up; those behind it still wait for those before it", async () => {
  const slow = Promise.withResolvers<void>();
  let patience = 60_000;
  const turns = new HeavyTurns(async (ended) => {
    await sleep(patience, undefined, { signal: ended });
    throw new Error("too late");
  });
  const store = { ...memoryStore(), blob: async () => new Uint8Array() };
  const digest = digestOf(Buffer.from("image"));
  const target: ImageTarget = { name: "i", reference: "i", digest, store, attachments: store, repository: "" };
  const order: string[] = [];
  const run = (name: string, work = async () => {}) =>
    turns.run(target, async ({ attachments }) => {
      await attachments.blob({ digest, size: 9 * MIB, mediaType: "x" }, { maxBytes: 9 * MIB });
      order.push(name);
      await work();
    });
  const first = run("first", () => slow.promise);
  await sleep(1);
  patience = 10;
  const second = run("second");
  await sleep(1);
  patience = 60_000;
  const third = run("third");
  await assert.rejects(second, /too late/);
  assert.deepEqual(order, ["first"]);
  slow.resolve();
  await Promise.all([first, third]);
  assert.deepEqual(order, ["first", "third"]);
});
