import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { isCount, objectAt, parseJson, textOf } from "./json.ts";

const parse = (text: string) => parseJson(Buffer.from(text), "it");
const refused = (text: string | Uint8Array, reason: RegExp) =>
  assert.throws(
    () => parseJson(Buffer.from(text), "it"),
    (error) => error instanceof TsignError && error.code === "bad-bundle" && reason.test(error.message),
    Buffer.from(text).toString("latin1").slice(0, 80),
  );

test("parseJson returns the same values as JSON.parse", () => {
  for (const text of [
    "null",
    '"a"',
    "[]",
    "[1,[2,{}],{}]",
    '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}',
    '{"a":"a","b":"\\"a\\":","c":"\\\\","d":"{,["}',
    ' { "x" : [ "x" , "x" ] , "y" : "x" } ',
    '{"\\\\":1,"\\"":2,"":3}',
    '{"constructor":1,"toString":2,"proto":"__proto__"}',
    '["__proto__"]',
  ]) {
    assert.deepEqual(parse(text), JSON.parse(text), text);
  }
});

test("parseJson: duplicate key at any level, with any escapes -> refused", () => {
  for (const text of [
    '{"a":1,"a":1}',
    '{"a":1,"b":[{"c":{"d":1,"e":"x","d":2}}]}',
    '{"a":1,"\\u0061":2}',
    '{ "a" : [] , "a" : [] }',
    '{"a":{},"b":1,"a":{}}',
    '{"\\\\":1,"\\\\":2}',
    '{"x":"\\\\","x":1}',
  ]) {
    refused(text, /duplicate key ".*"/);
  }
});

test("parseJson: key __proto__ at any level, with any escapes -> refused", () => {
  for (const text of ['{"__proto__":{}}', '[{"a":{"__proto__":1}}]', '{"a":1,"\\u005f_proto__":1}']) {
    refused(text, /__proto__/);
  }
});

test("parseJson: invalid JSON, invalid UTF-8 or deep nesting -> refused", () => {
  refused("", /not valid JSON/);
  refused("{'a':1}", /not valid JSON/);
  refused('{"a":1} x', /not valid JSON/);
  refused(Buffer.from([0x22, 0xff, 0x22]), /not UTF-8/);
  refused(Buffer.from("\uFEFF{}"), /not valid JSON/);
  refused("[".repeat(65) + "]".repeat(65), /deeper than 64/);
  assert.ok(parse("[".repeat(64) + "]".repeat(64)));
});

test("parseJson reads long strings in linear time", () => {
  const long = "x".repeat(32 * 1024 * 1024);
  assert.equal((parse(`{"payload":"${long}"}`) as { payload: string }).payload.length, long.length);
  const escaped = '\\"\\\\'.repeat(1024 * 1024);
  assert.equal((parse(`["${escaped}"]`) as string[])[0]?.length, escaped.length / 2);
});

test("textOf returns scalars as text, and an empty string for objects", () => {
  const scalars = ["text", 7, true, false].map(textOf);
  assert.deepEqual(scalars, ["text", "7", "true", "false"]);
  const others = [null, undefined, {}, { toString: 1 }, [[]], JSON.parse('{"toString":null,"valueOf":1}')];
  assert.deepEqual(new Set(others.map(textOf)), new Set([""]));
});

test("parseJson: JSON lines or a byte order mark -> hint", () => {
  const hint = (text: string): string => {
    try {
      parseJson(Buffer.from(text), "it");
      return "read";
    } catch (error) {
      return error instanceof TsignError ? (error.hint ?? "none") : "none";
    }
  };
  assert.match(hint('{"a":1}\n{"a":2}\n'), /each line is a JSON document/);
  assert.match(hint('{"a":1}\n{"a":2}\nrubbish'), /each line is a JSON document/);
  assert.match(hint('\uFEFF{"a":1}'), /without a byte order mark/);
  for (const text of ['{"a":1}\nrubbish', "[1]\n[2]", "1\n2", "{\n}x", "", "\n\n"])
    assert.equal(hint(text), "none", text);
  assert.equal(hint('{"a":1}\n'), "read");
});

test("parseJson: too many values -> refused before parsing", () => {
  const items = (count: number) => Buffer.from(`[${"1,".repeat(count - 1)}1]`);
  assert.equal((parseJson(items(100), "it", { most: 100 }) as unknown[]).length, 100);
  assert.throws(() => parseJson(items(102), "it", { most: 100 }), /it has more than 100 values/);
  const large = items(20_000_000);
  const before = process.cpuUsage();
  assert.throws(() => parseJson(large, "it"), /more than 4000000 values/);
  assert.ok(process.cpuUsage(before).user < 2e6, "more than 2 s");
});

test("isCount: non-negative safe integers -> true; anything else -> false", () => {
  for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) assert.equal(isCount(value), true);
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN, "1", null, undefined]) assert.equal(isCount(value), false);
});

test("objectAt: a member that is an object -> it; anything else -> an empty object", () => {
  assert.deepEqual(objectAt({ a: { b: 1 } }, "a"), { b: 1 });
  for (const a of [undefined, null, 1, "x", []]) assert.deepEqual(objectAt({ a }, "a"), {});
});
