import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../../errors.ts";
import type { Rejected } from "../../images/verdict.ts";
import { printVerdict } from "./image-verdict.ts";

const OPTIONS = {
  reference: "r.example/app:v1",
  signer: { kind: "any" },
  claims: true,
  annotations: false,
  form: "json",
  logs: [],
  inTable: false,
} as unknown as Parameters<typeof printVerdict>[2];

/** The lines on stderr for an image with so many bad signatures. */
function linesFor(count: number, { terminal }: { terminal: boolean }): string[] {
  const lines: string[] = [];
  const write = (text: string) => lines.push(text.trimEnd());
  const tty = { stdin: false, stdout: false, stderr: terminal, columns: 100 };
  const io = { stdout: { write, data: () => {} }, stderr: { write }, tty, env: { LANG: "C.UTF-8" } };
  const failures = Array.from({ length: count }, (_, index) => ({
    origin: { kind: "referrer", where: `r.example/app@sha256:${index.toString(16).padStart(64, "0")}` },
    check: "signature",
    reason: "not valid for this key",
  }));
  const verdict = { ok: false, image: "r.example/app:v1", count, failures, error: new TsignError("no-match", "x") };
  printVerdict(io as unknown as Parameters<typeof printVerdict>[0], verdict as unknown as Rejected, OPTIONS);
  return lines;
}

test("printVerdict: thousands of bad signatures -> a terminal lists ten and counts the rest", () => {
  const lines = linesFor(2000, { terminal: true });
  assert.equal(lines.length, 11);
  assert.match(lines[9] ?? "", /^ {2}✗ sha256:0{12} {2}signature {2}not valid for this key$/);
  assert.match(lines[10] ?? "", /^ {2}1990 more/);
});

test("printVerdict: ten bad signatures -> a terminal lists them all; a pipe gets every one of thousands", () => {
  assert.equal(linesFor(10, { terminal: true }).length, 10);
  const lines = linesFor(2000, { terminal: false });
  assert.equal(lines.length, 2000);
  assert.match(lines[1999] ?? "", /^ {2}r\.example\/app@sha256:0+7cf: signature: not valid for this key$/);
});
