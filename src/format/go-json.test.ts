import assert from "node:assert/strict";
import { test } from "node:test";
import { goJson } from "./go-json.ts";

test("goJson writes compact JSON in the given order with Go's HTML escapes", () => {
  const cases: [unknown, string][] = [
    [{ b: 1, a: [null, true, "x"] }, '{"b":1,"a":[null,true,"x"]}'],
    ["<a href='x'>&</a>", "\"\\u003ca href='x'\\u003e\\u0026\\u003c/a\\u003e\""],
    ["\u2028\u2029", '"\\u2028\\u2029"'],
    ['quote " back \\ slash / é 🍒', '"quote \\" back \\\\ slash / é 🍒"'],
    [{ "<key>": "&" }, '{"\\u003ckey\\u003e":"\\u0026"}'],
    [{ left: undefined }, "{}"],
  ];
  for (const [value, json] of cases) {
    assert.equal(goJson(value), json);
    assert.deepEqual(JSON.parse(goJson(value)), JSON.parse(JSON.stringify(value)), "it still says the same");
  }
});
