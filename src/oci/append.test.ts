import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { digestOf } from "../format/digest.ts";
import { appendToTag, type Merge } from "./append.ts";
import { withReferrers } from "./registry/fallback-index.ts";
import type { Descriptor, ImageStore, StoredManifest } from "./types.ts";

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A tag with a list of words, and the changes that others make while a writer waits. */
function fakeTag(meanwhile: ((words: string[]) => string[])[] = []) {
  let words: string[] | undefined;
  const stored = (): StoredManifest | undefined => {
    if (!words) return undefined;
    const bytes = Buffer.from(JSON.stringify(words));
    const descriptor = { mediaType: INDEX_TYPE, digest: digestOf(bytes), size: bytes.length };
    return { descriptor, bytes, manifest: { mediaType: INDEX_TYPE, layers: [], annotations: {} } };
  };
  const store = {
    name: `fake${Math.random()}`,
    manifest: async () => stored(),
    resolve: async () => stored()?.descriptor,
    putManifest: async (bytes: Uint8Array) => {
      words = JSON.parse(Buffer.from(bytes).toString()) as string[];
      return stored()?.descriptor as Descriptor;
    },
  } as unknown as ImageStore;
  const merge =
    (word: string): Merge =>
    async (current) => {
      const before = current ? (JSON.parse(Buffer.from(current.bytes).toString()) as string[]) : [];
      return before.includes(word)
        ? undefined
        : { bytes: Buffer.from(JSON.stringify([...before, word])), mediaType: INDEX_TYPE };
    };
  const io = {
    now: () => new Date(),
    signal: new AbortController().signal,
    sleep: async () => {
      words = meanwhile.shift()?.(words ?? []) ?? words;
    },
  };
  return { io, store, merge, words: () => words };
}

test("appendToTag: concurrent overwrites -> our entry is kept", async () => {
  const tag = fakeTag([() => ["theirs"], (words) => [...words, "third"]]);
  await appendToTag({ ...tag, tag: "t", merge: tag.merge("ours") });
  assert.deepEqual(tag.words(), ["theirs", "ours", "third"]);
});

test("appendToTag: entry already there -> no write", async () => {
  const tag = fakeTag();
  await appendToTag({ ...tag, tag: "t", merge: tag.merge("ours") });
  const before = tag.words();
  await appendToTag({ ...tag, tag: "t", merge: tag.merge("ours") });
  assert.equal(tag.words(), before);
});

test("appendToTag: writers of one process -> run one after another", async () => {
  const tag = fakeTag();
  const words = Array.from({ length: 20 }, (_, index) => `w${index}`);
  await Promise.all(words.map((word) => appendToTag({ ...tag, tag: "t", merge: tag.merge(word) })));
  assert.deepEqual(tag.words(), words);
});

test("appendToTag: overwritten every time -> error", async () => {
  const tag = fakeTag(Array.from({ length: 100 }, () => () => ["theirs"]));
  await assert.rejects(appendToTag({ ...tag, tag: "t", merge: tag.merge("ours") }), /keep overwriting/);
});

/** A clock that jumps to the next event when nothing else is pending. */
function virtualClock() {
  let time = 0;
  const events: { at: number; happen: () => void }[] = [];
  const sleep = (milliseconds: number) =>
    new Promise<void>((happen) => {
      events.push({ at: time + milliseconds, happen });
      events.sort((a, b) => a.at - b.at);
    });
  const runUntil = async (finished: Promise<unknown>) => {
    let over = false;
    finished.finally(() => (over = true)).catch(() => {});
    while (!over) {
      await new Promise((done) => setImmediate(done)); // lets everything that waits for no event go on
      const next = events.shift();
      if (next) time = next.at;
      next?.happen();
    }
  };
  return { sleep, runUntil, now: () => new Date(time) };
}

/** Deterministic pseudo-random numbers (a linear congruential generator). */
function pseudoRandom(seed: number) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

for (const seed of [1, 2, 3, 4]) {
  test(`appendToTag: thirty processes with random stalls -> no entry lost (seed ${seed})`, async () => {
    const clock = virtualClock();
    const random = pseudoRandom(seed);
    const tag = fakeTag();
    const delay = () => clock.sleep(1 + 10 * random() + (random() < 0.1 ? 150 * random() : 0));
    const slow =
      (name: "manifest" | "resolve" | "putManifest") =>
      async (...args: never[]) => {
        await delay();
        const result = await (tag.store[name] as (...args: never[]) => Promise<unknown>)(...args);
        await delay();
        return result;
      };
    const io = { ...tag.io, now: clock.now, sleep: clock.sleep };
    const words = Array.from({ length: 30 }, (_, index) => `w${index}`);
    const writers = words.map(async (word) => {
      await clock.sleep(1000 * random());
      const store = {
        name: word,
        manifest: slow("manifest"),
        resolve: slow("resolve"),
        putManifest: slow("putManifest"),
      };
      await appendToTag({ io, store: store as unknown as ImageStore, tag: "t", merge: tag.merge(word) });
    });
    const all = Promise.all(writers);
    await clock.runUntil(all);
    await all;
    assert.deepEqual(tag.words()?.toSorted(), words.toSorted());
  });
}

const entry = (name: string, more: Partial<Descriptor> = {}): Descriptor => ({
  mediaType: MANIFEST_TYPE,
  digest: digestOf(Buffer.from(name)),
  size: 1,
  ...more,
});

function index(manifests: Descriptor[]): StoredManifest {
  const descriptor = entry("index");
  return {
    descriptor,
    bytes: new Uint8Array(),
    manifest: { mediaType: INDEX_TYPE, layers: [], manifests, annotations: {} },
  };
}

test("withReferrers: keeps entries, completes old ones, adds a new one once", async () => {
  const rich = entry("rich", { artifactType: "x/rich", annotations: { a: "b" } });
  const poor = entry("poor");
  const gone = entry("gone");
  const store = {
    manifest: async (digest: string): Promise<StoredManifest | undefined> => {
      if (digest !== poor.digest) return undefined;
      const manifest = { mediaType: MANIFEST_TYPE, artifactType: "x/poor", layers: [], annotations: { c: "d" } };
      return { descriptor: poor, bytes: new Uint8Array(), manifest };
    },
  } as unknown as ImageStore;
  const added = entry("new", { artifactType: "x/new", annotations: {} });
  const written = await withReferrers(store, index([rich, poor, gone]), [added]);
  const { manifests } = JSON.parse(Buffer.from(written?.bytes ?? []).toString()) as { manifests: Descriptor[] };
  const byDigest = new Map(manifests.map((each) => [each.digest, each]));
  assert.deepEqual(byDigest.get(rich.digest), rich);
  assert.equal(byDigest.get(poor.digest)?.artifactType, "x/poor");
  assert.deepEqual(byDigest.get(poor.digest)?.annotations, { c: "d" });
  assert.deepEqual(byDigest.get(gone.digest), gone);
  assert.ok(byDigest.has(added.digest));
  assert.deepEqual(
    manifests.map(({ digest }) => digest),
    [...byDigest.keys()].sort(),
  );
  assert.equal(await withReferrers(store, index(manifests), [added]), undefined);
  const image = { ...index([]), manifest: { mediaType: MANIFEST_TYPE, layers: [], annotations: {} } };
  await assert.rejects(withReferrers(store, image, [added]), (error) => error instanceof TsignError);
});
