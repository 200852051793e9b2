import assert from "node:assert/strict";
import { test } from "node:test";
import { ElementSplitter, TooLong } from "./json-elements.ts";

const LIMITS = { element: 1000, rest: 1000 };

/** Reads a text in pieces of so many bytes. */
function split(text: string, size: number, limits = LIMITS) {
  const splitter = new ElementSplitter("manifests", limits);
  const bytes = Buffer.from(text);
  const elements: unknown[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const element of splitter.feed(bytes.subarray(at, at + size))) {
      elements.push(element && JSON.parse(Buffer.from(element).toString("utf8")));
    }
  }
  return { elements, rest: splitter.end() };
}

test("ElementSplitter extracts the elements of the named array for any split of the bytes", () => {
  const manifests = [{ a: 'quote " and ] and }' }, { b: [1, { c: ["x"] }] }, 3, "text,", null, "ü\\"];
  const document = { other: ["manifests", { manifests: [9] }], manifests, after: { manifests: [8] } };
  for (const text of [JSON.stringify(document), JSON.stringify(document, null, 2)]) {
    for (const size of [1, 2, 7, 10_000]) {
      const { elements, rest } = split(text, size);
      assert.deepEqual(elements, manifests);
      assert.deepEqual(rest, { ...document, manifests: manifests.map(() => 0) });
    }
  }
});

test("ElementSplitter: no such array -> document unchanged; not JSON -> error", () => {
  for (const document of [{}, { manifests: null }, { manifests: {} }, { a: [1] }, [1], "manifests"]) {
    const { elements, rest } = split(JSON.stringify(document), 3);
    assert.deepEqual([elements, rest], [[], document]);
  }
  assert.deepEqual(split('{"manifests":[]}', 1), { elements: [], rest: { manifests: [] } });
  for (const text of ['{"manifests":[1,]}', '{"manifests":[,1]}', '{"manifests":[1', "{", '{"manifests":[1]}}']) {
    assert.throws(() => split(text, 4), SyntaxError, text);
  }
});

test("ElementSplitter: element or document too long -> dropped or refused", () => {
  const long = JSON.stringify({ manifests: [1, "x".repeat(2000), 2] });
  assert.deepEqual(split(long, 50).elements, [1, undefined, 2]);
  assert.throws(() => split(JSON.stringify({ a: "x".repeat(2000) }), 50), TooLong);
});
