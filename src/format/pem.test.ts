import assert from "node:assert/strict";
import { test } from "node:test";
import { readPem, wrapPem, writePem } from "./pem.ts";

const bytes = Buffer.from(Array.from({ length: 100 }, (_, at) => at));
const block = writePem("SOME KEY", bytes);

test("writePem writes lines of 64 characters", () => {
  const lines = block.split("\n");
  assert.equal(lines[0], "-----BEGIN SOME KEY-----");
  assert.deepEqual(
    lines.map((line) => line.length),
    [24, 64, 64, 8, 22, 0],
  );
  assert.equal(writePem("X", Buffer.alloc(0)), "-----BEGIN X-----\n-----END X-----\n");
});

test("wrapPem: lines of more than 76 characters -> of 64; everything else unchanged", () => {
  const content = (text: string) => text.replaceAll("\n", "");
  for (const length of [1, 64, 76, 77, 128, 129, 253, 506]) {
    const line = "A".repeat(length);
    const wrapped = wrapPem(`-----BEGIN X-----\n${line}\n-----END X-----\n`);
    assert.equal(content(wrapped), `-----BEGIN X-----${line}-----END X-----`);
    assert.doesNotMatch(wrapped, /.{77}|\n\n/, `${length}`);
  }
  const other = `${"A".repeat(76)}\n# ${"a word ".repeat(20)}\n${block}${"-".repeat(100)}\r\n`;
  assert.equal(wrapPem(other), other);
});

test("readPem returns blocks in order, ignoring other text", () => {
  const other = writePem("OTHER", Buffer.from("x"));
  const cases: [string, string, string[]][] = [
    ["one", block, ["SOME KEY"]],
    ["two", block + other, ["SOME KEY", "OTHER"]],
    ["text around", `before\n${other}between\n${block}after`, ["OTHER", "SOME KEY"]],
    ["line ends of Windows", block.replaceAll("\n", "\r\n"), ["SOME KEY"]],
    ["spaces after the begin line", block.replace("KEY-----\n", "KEY----- \t\n"), ["SOME KEY"]],
    ["no end of line at the end", block.trimEnd(), ["SOME KEY"]],
    ["headers", block.replace("\n", "\nProc-Type: 4,X\nDEK-Info: Y\n\n"), ["SOME KEY"]],
    ["an unfinished block before", `-----BEGIN OTHER-----\nAAAA\n${block}`, ["SOME KEY"]],
    ["the end of another label", block.replace("END SOME", "END NO"), []],
    ["no end", block.replace(/-----END.*/, ""), []],
    ["nothing", "", []],
  ];
  for (const [what, text, labels] of cases) {
    const found = readPem(text);
    assert.deepEqual(
      found.map((each) => each.label),
      labels,
      what,
    );
    const some = found.find((each) => each.label === "SOME KEY");
    if (some) assert.ok(bytes.equals(some.bytes), what);
  }
});

test("readPem: many begin lines -> linear time", () => {
  // At a cost of the square of its length this would take an hour.
  assert.deepEqual(readPem("-----BEGIN A-----\n".repeat(500_000)), []);
  assert.deepEqual(readPem(`${"-----BEGIN A-----\n".repeat(500_000)}-----END B-----`), []);
});
