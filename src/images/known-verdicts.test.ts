import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { KnownVerdicts } from "./known-verdicts.ts";
import type { ImageVerdict } from "./verdict.ts";

/** A verdict as far as it matters here. */
function verdict(image: string, { ok, payload = 0 }: { ok: boolean; payload?: number }): ImageVerdict {
  const content = { kind: "statement", payload: { length: payload } };
  const judged = { image, ok, count: 1, failures: [], incomplete: [], verified: ok ? [{ content }] : [] };
  return judged as unknown as ImageVerdict;
}

/** Counts the verifications of each key. `names` is how many names the batch has. */
function counting({
  names,
  maxBytes,
  ...options
}: {
  names: number;
  maxBytes?: number;
  ok: boolean;
  payload?: number;
}) {
  const known = new KnownVerdicts(Array(names).fill("app"), maxBytes === undefined ? {} : { maxBytes });
  const counts = new Map<string, number>();
  const of = (key: string, image: string) =>
    known.of({ repository: "app", key, image }, async () => {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      return verdict(image, options);
    });
  return { known, of, counts };
}

test("KnownVerdicts: a thousand digests of a repository, each with two names -> each verified once", async () => {
  const { of, counts } = counting({ names: 2000, ok: true, payload: 500 });
  for (const name of ["v1", "latest"]) {
    for (let index = 0; index < 1000; index++) {
      const image = `app:${name}-${index}`;
      assert.equal((await of(`${index}`, image)).image, image);
    }
  }
  assert.deepEqual(new Set(counts.values()), new Set([1]));
  assert.equal(counts.size, 1000);
});

test("KnownVerdicts: three names at the same time -> verified once", async () => {
  const { of, counts } = counting({ names: 3, ok: true });
  await Promise.all([of("a", "a:1"), of("a", "a:2"), of("a", "a:3")]);
  assert.equal(counts.get("a"), 1);
});

test("KnownVerdicts: the last name of a repository -> its verdicts are forgotten", async () => {
  const { of, counts } = counting({ names: 2, ok: true });
  for (const image of ["a:1", "a:2", "a:3"]) await of("a", image);
  assert.equal(counts.get("a"), 2, "the batch has two names");
});

test("KnownVerdicts: more than the limit of memory -> the oldest is verified again", async () => {
  const { of, counts } = counting({ names: 9, maxBytes: 130_000, ok: true, payload: 10_000 });
  for (const key of ["a", "b", "c", "c", "a"]) await of(key, key);
  assert.deepEqual(Object.fromEntries(counts), { a: 2, b: 1, c: 1 });
  const large = counting({ names: 9, maxBytes: 130_000, ok: true, payload: 1_000_000 });
  for (const key of ["a", "a"]) await large.of(key, key);
  assert.equal(large.counts.get("a"), 2, "a verdict above the limit is not kept");
});

test("KnownVerdicts: a refusal counts for its name only, and an exception for none", async () => {
  const { known, of, counts } = counting({ names: 9, ok: false });
  for (const name of ["a:1", "a:1", "a:2", "a:2"]) assert.equal((await of("a", name)).image, name);
  assert.equal(counts.get("a"), 2);
  const failing = async () => {
    throw new TsignError("network", "no route");
  };
  await assert.rejects(known.of({ repository: "app", key: "b", image: "b:1" }, failing), /no route/);
  assert.equal((await of("b", "b:1")).image, "b:1");
  assert.equal(counts.get("b"), 1);
});
