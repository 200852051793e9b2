import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TsignError } from "../errors.ts";
import type { TransportIo } from "../net/retry.ts";
import { type Batch, verifyImages } from "./batch.ts";
import type { ImageTarget } from "./open.ts";

const io = { signal: new AbortController().signal } as TransportIo;

/** A batch whose images resolve to one digest each, and have no signatures that can be listed. */
function batchOf(images: readonly string[], onRepositoryDone?: Batch["onRepositoryDone"]) {
  const opened: WeakRef<ImageTarget>[] = [];
  const store = {
    name: "",
    referrers() {
      throw new TsignError("registry", "list referrers: not today");
    },
    manifest: async () => undefined,
    resolve: async () => undefined,
  };
  const open = async (image: string, index: number) => {
    if (image.startsWith("absent")) throw new TsignError("image-not-found", "no such image");
    const digest = `sha256:${String(index).padStart(64, "0")}`;
    const own = { ...store, name: image };
    const target = { name: image, reference: image, digest, store: own, attachments: own, repository: image };
    opened.push(new WeakRef(target as unknown as ImageTarget));
    return target as unknown as ImageTarget;
  };
  const options = { wanted: { kind: "signatures" }, policy: { claims: {} }, trust: {}, tagPrefix: "" };
  const batch = { images, workers: 4, options, open, onRepositoryDone } as unknown as Batch;
  return { batch, opened };
}

test("verifyImages: a repository is done once, after its last image, also after failures", async () => {
  const done: string[] = [];
  const seen: string[] = [];
  const names = [
    "r.example/app:1",
    "absent.example/app:1",
    "r.example/db:1",
    "r.example/app:2",
    "r.example/app:1",
    "a b",
  ];
  const { batch } = batchOf(names, (repository) => done.push(repository));
  for await (const { image, kind } of verifyImages(io, batch)) seen.push(`${image} ${kind}`);
  assert.equal(seen.length, names.length);
  assert.deepEqual(done.toSorted(), ["a b", "absent.example/app", "r.example/app", "r.example/db"]);
});

test("verifyImages: what was looked up for an image is forgotten when it is done, and kept for a name that is given again", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const images = Array.from({ length: 200 }, (_, index) => `r.example/app-${index}:v1`);
  const { batch, opened } = batchOf([...images, images[0] ?? ""]);
  let alive = Number.NaN;
  let count = 0;
  for await (const { kind } of verifyImages(io, batch)) {
    assert.equal(kind, "judged");
    if (++count !== 150) continue;
    await setImmediate(); // a WeakRef keeps its target until the end of the job that made it
    collect();
    alive = opened.slice(0, 100).filter((each) => each.deref() !== undefined).length;
  }
  assert.equal(opened.length, 200, "the name that is given twice is resolved once");
  assert.ok(alive <= 1 + 8, `${alive} of 100 targets are kept`);
});
