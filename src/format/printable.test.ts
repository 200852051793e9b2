import assert from "node:assert/strict";
import { test } from "node:test";
import { printable, printableLines } from "./printable.ts";

test("printable escapes unprintable characters only", () => {
  const cases = [
    ["https://example.com/type/v1", "https://example.com/type/v1"],
    ["größer 🍒 日本語 C:\\new", "größer 🍒 日本語 C:\\new"],
    ["a\u001b[2Kb", "a\\u001b[2Kb"],
    ["line\nnext\rover\ttab", "line\\nnext\\rover\\ttab"],
    ["\u009b31m\u007f\u0085", "\\u009b31m\\u007f\\u0085"],
    ["\u202Egpj.exe\u2066\u2069\u200e\u200f\u061c", "\\u202egpj.exe\\u2066\\u2069\\u200e\\u200f\\u061c"],
    ["a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    ["pay\u200bpal\ufeff\u00ad\u3164", "pay\\u200bpal\\ufeff\\u00ad\\u3164"],
    ["\ud800x\udc00", "\\ud800x\\udc00"],
    ["\u{e0041}", "\\udb40\\udc41"],
  ] as const;
  for (const [given, shown] of cases) assert.equal(printable(given), shown);
});

test("printable keeps the meaning of JSON on one line", () => {
  const value = { "a\u202eb": "\u2028\u200b\u{e0041}\u007f\ufeff", n: [1, "\n"] };
  assert.deepEqual(JSON.parse(printable(JSON.stringify(value))), value);
});

test("printableLines keeps line feeds and tabs", () => {
  assert.equal(printableLines("a\tb\n\u001b[2J\r\u202e"), "a\tb\n\\u001b[2J\\u000d\\u202e");
});
