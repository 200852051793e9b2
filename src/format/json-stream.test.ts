import assert from "node:assert/strict";
import { test } from "node:test";
import { splitJsonStream } from "./json-stream.ts";

test("splitJsonStream splits documents with any formatting", () => {
  const one = '{"a":[1,{"b":"}{"}]}';
  const two = '{\n  "c": "\\"}\\\\"\n}';
  assert.deepEqual(splitJsonStream(one), [one]);
  for (const between of ["", "\n", " \r\n\n"]) {
    assert.deepEqual(splitJsonStream(`${one}${between}${two}${between}${one}\n`), [one, two, one]);
  }
  assert.deepEqual(splitJsonStream("[1][2]"), ["[1]", "[2]"]);
  assert.deepEqual(splitJsonStream(" \n"), []);
});

test("splitJsonStream keeps other text as pieces", () => {
  assert.deepEqual(splitJsonStream('{"a":1} and {"b":2}'), ['{"a":1}', "and", '{"b":2}']);
  assert.deepEqual(splitJsonStream('{"a":1}}{"b":2}'), ['{"a":1}', '}{"b":2}']);
  assert.deepEqual(splitJsonStream('{"a":"1}{"b":2'), ['{"a":"1}{"b":2']);
  assert.deepEqual(splitJsonStream('{"a":"1'), ['{"a":"1']);
});
