import assert from "node:assert/strict";
import { test } from "node:test";
import { byContent } from "./by-content.ts";

test("byContent: equal bytes -> the result of the first call, other bytes -> their own", () => {
  let calls = 0;
  const text = byContent((bytes) => {
    calls++;
    return { text: Buffer.from(bytes).toString("latin1") };
  });
  const first = text(Buffer.from("a"));
  assert.equal(text(Buffer.from("a")), first);
  assert.equal(text(Buffer.from("b")).text, "b");
  assert.equal(calls, 2);
});

test("byContent: bytes that change after the call -> neither the result nor its key change", () => {
  const same = byContent((bytes) => ({ bytes }));
  const bytes = Buffer.from("good");
  const result = same(bytes);
  bytes.write("evil");
  assert.equal(Buffer.from(result.bytes).toString(), "good");
  assert.equal(Buffer.from(same(bytes).bytes).toString(), "evil");
});

test("byContent: an exception, large bytes, many bytes -> computed again", () => {
  let calls = 0;
  const failing = byContent(() => {
    calls++;
    throw new Error("malformed");
  });
  for (let round = 0; round < 2; round++) assert.throws(() => failing(Buffer.from("a")), /malformed/);
  assert.equal(calls, 2);
  const lengths = byContent((bytes) => {
    calls++;
    return bytes.length;
  });
  for (let round = 0; round < 2; round++) lengths(new Uint8Array(128 * 1024 + 1));
  assert.equal(calls, 4);
  for (let index = 0; index <= 64; index++) lengths(Buffer.from([index]));
  lengths(Buffer.from([64]));
  assert.equal(calls, 69);
  lengths(Buffer.from([0])); // the oldest was dropped
  assert.equal(calls, 70);
});
