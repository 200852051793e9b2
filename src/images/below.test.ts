import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore } from "../../test/support/memory-store.ts";
import type { TsignError } from "../errors.ts";
import type { Descriptor } from "../oci/types.ts";
import { imagesBelow } from "./below.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const store = memoryStore();

function index(...manifests: Descriptor[]): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
  return store.putManifest(bytes, { mediaType: INDEX });
}

async function nested(levels: number): Promise<Descriptor> {
  return levels === 0 ? index() : index(await nested(levels - 1));
}

const below = (root: Descriptor, maxImages = 10) =>
  imagesBelow(store, { digest: root.digest, descriptor: root }, maxImages);
const failing = (code: string, message: RegExp) => (error: TsignError) =>
  error.code === code && message.test(error.message);

test("imagesBelow lists an index from the top down, each digest once", async () => {
  const leaf = await index();
  const middle = await index(leaf);
  const root = await index(middle, leaf);
  assert.deepEqual(
    (await below(root)).map(({ digest }) => digest),
    [root.digest, middle.digest, leaf.digest],
  );
});

test("imagesBelow: nested too deep, too many, or a missing image -> error", async () => {
  assert.equal((await below(await nested(8))).length, 9);
  await assert.rejects(below(await nested(9)), failing("limit", /nested deeper than 8/));
  const two = await index(await nested(0), await nested(1));
  assert.equal((await below(two, 2)).length, 3);
  await assert.rejects(below(two, 1), failing("limit", /more than 1 images/));
  const gone = { mediaType: INDEX, digest: `sha256:${"0".repeat(64)}`, size: 2 } as const;
  await assert.rejects(below(await index(gone)), failing("image-not-found", /sha256:0{64}/));
});
