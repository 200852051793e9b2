import assert from "node:assert/strict";
import { test } from "node:test";
import { countOf, logText, printStored } from "./stored.ts";

const entry = (logIndex: string) => ({ logIndex }) as never;

function stored(terminal: boolean): string {
  const lines: string[] = [];
  const tty = {
    stdin: false,
    stdinIsNull: true,
    stdout: false,
    stderr: terminal,
    columns: 80,
    status: () => {},
    prompt: () => Promise.reject(new Error("no prompt")),
  };
  const io = {
    signal: new AbortController().signal,
    env: { LANG: "C.UTF-8" },
    tty,
    stderr: { write: (text: string) => lines.push(text) },
  };
  printStored(io, {
    kind: "signature",
    where: `r.example/a@sha256:${"a".repeat(64)}`,
    evidence: { log: [entry("7")] },
  });
  return lines.join("");
}

test("printStored: whole digest and log index in a pipe, a mark and a short digest on a terminal", () => {
  assert.equal(stored(false), `Stored signature: r.example/a@sha256:${"a".repeat(64)}, log entry 7\n`);
  assert.equal(stored(true), `✓ Stored signature: r.example/a@sha256:${"a".repeat(12)}, log entry 7\n`);
});

test("logText, countOf: none, one, several", () => {
  assert.equal(logText(undefined), "");
  assert.equal(logText({ log: [] }), "");
  assert.equal(logText({ log: [entry("1"), entry("2")] }), ", log entries 1 and 2");
  assert.equal(countOf(1, "attachment"), "1 attachment");
  assert.equal(countOf(0, "attachment"), "0 attachments");
});
