import assert from "node:assert/strict";
import { test } from "node:test";
import { didYouMean, nearest } from "./nearest.ts";

const COMMANDS = ["attest", "login", "sign", "sign-blob", "tree", "verify", "verify-blob", "version"];

test("nearest: omitted, added, changed and swapped letters -> the words meant, the nearest first", () => {
  const cases: [string, string[]][] = [
    ["sgin", ["sign", "login"]],
    ["verfy", ["verify"]],
    ["verfiy", ["verify"]],
    ["vreify", ["verify"]],
    ["veriify", ["verify"]],
    ["VERIFY", ["verify", "verify-blob"]],
    ["tere", ["tree"]],
    ["atest", ["attest"]],
    ["ver", ["verify", "verify-blob", "version"]],
    ["attestation", []],
    ["sign-blbo", ["sign-blob"]],
  ];
  for (const [word, expected] of cases) assert.deepEqual(nearest(word, COMMANDS), expected, word);
});

test("nearest: a different word -> none", () => {
  for (const word of ["frobnicate", "bogus", "xy", "", "ve", "--"]) assert.deepEqual(nearest(word, COMMANDS), [], word);
  assert.deepEqual(nearest("cat", ["car", "dog"]), ["car"]);
  assert.deepEqual(nearest("cat", ["cars", "dog"]), [], "short words allow one edit");
});

test("nearest: many similar words -> three", () => {
  assert.equal(nearest("abcd", ["abce", "abcf", "abcg", "abch"]).length, 3);
});

test("didYouMean: joins the words as a question", () => {
  assert.equal(didYouMean("verfy", COMMANDS), "did you mean verify?");
  assert.equal(
    didYouMean("sgin", COMMANDS, (name) => `\`${name}\``),
    "did you mean `sign` or `login`?",
  );
  assert.equal(didYouMean("ver", COMMANDS), "did you mean verify, verify-blob or version?");
  assert.equal(didYouMean("bogus", COMMANDS), undefined);
});
