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
