import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { spawnToEnd } from "./spawn.ts";

/** test/transport.test.ts runs this file on Bun as well, where tsign's own programs are started in another way. */
const shell = (script: string, options: object = {}) =>
  spawnToEnd("/bin/sh", ["-c", script], { own: true, ...options });
const onUnix = { skip: process.platform === "win32" };

test("spawnToEnd, own program: input, output, environment and exit code", onUnix, async () => {
  const script = 'cat; echo "$A-$HOME"; echo wrong >&2; exit 3';
  const ended = await shell(script, { stdin: "input ", env: { A: "1" } });
  assert.deepEqual(ended, { code: 3, stdout: "input 1-\n", stderr: "wrong\n" });
});

test("spawnToEnd, own program: killed by a signal -> 128, never success", onUnix, async () => {
  assert.equal((await shell("kill -9 $$")).code, 128);
});

test("spawnToEnd, own program: it does not read its input, and prints more than is kept", onUnix, async () => {
  const { code, stdout } = await shell("head -c 3000000 /dev/zero", { stdin: "x".repeat(3_000_000) });
  assert.equal(code, 0);
  assert.equal(stdout.length, 1024 * 1024);
});

test("spawnToEnd, own program: missing -> error", onUnix, async () => {
  const missing = spawnToEnd("/no/such/program", [], { own: true });
  await assert.rejects(missing, { code: "input", message: "run /no/such/program: program not found" });
});

test("spawnToEnd, own program: aborted before and while it runs -> killed, with the reason", onUnix, async () => {
  const reason = new TsignError("limit", "late");
  await assert.rejects(shell("exit 0", { signal: AbortSignal.abort(reason) }), reason);
  const stop = new AbortController();
  setTimeout(() => stop.abort(reason), 50);
  const started = Date.now();
  await assert.rejects(shell("exec sleep 20", { signal: stop.signal }), reason);
  assert.ok(Date.now() - started < 10_000);
});
