import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "./printable.ts";

test("what a terminal would obey is replaced, everything else stays", () => {
  const cases = [
    ["https://example.com/type/v1", "https://example.com/type/v1"],
    ["größer 🍒", "größer 🍒"],
    ["a\u001b[2Kb", "a\uFFFD[2Kb"],
    ["line\nnext\rover", "line\uFFFDnext\uFFFDover"],
    ["\u009b31m", "\uFFFD31m"],
    ["\u202Egpj.exe", "\uFFFDgpj.exe"],
  ] as const;
  for (const [given, shown] of cases) assert.equal(printable(given), shown);
});
