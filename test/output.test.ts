import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { BEFORE, ENVIRONMENT, PROGRAM } from "./support/program.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG } from "./support/test-io.ts";

const SIZE = 4 * 1024 * 1024;

/** Runs the program in a separate process with real pipes. */
function start(argv: readonly string[], cwd: string) {
  const child = spawn(PROGRAM, [...BEFORE, ...argv], {
    cwd,
    env: { ...ENVIRONMENT, HOME: cwd },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const errors: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors.push(text));
  return { child, stdout: child.stdout, stderr: () => errors.join("") };
}

test("stdout: slow reader -> all output; closed early -> program ends", async (t) => {
  const { cwd, ok, image } = await storageWorkshop(t);
  writeFileSync(join(cwd, "sbom"), Buffer.alloc(SIZE, "line\n"));
  await ok("attach", "sbom", "--sbom", "sbom", image);

  const slow = start(["download", "sbom", image], cwd);
  while (!slow.stderr().includes("Found SBOM")) await once(slow.child.stderr, "data");
  await setTimeout(600); // longer than any other wait at the end of the program
  let size = 0;
  for await (const piece of slow.stdout) size += piece.length;
  const code = slow.child.exitCode ?? (await once(slow.child, "exit"))[0];
  assert.deepEqual({ size, code }, { size: SIZE, code: 0 });

  const early = start(["download", "sbom", image], cwd);
  await once(early.stdout, "data");
  early.stdout.destroy();
  const [left] = await once(early.child, "exit");
  assert.equal(left, 1, "not all was said");
  assert.doesNotMatch(early.stderr(), /Error|EPIPE/);
});

test("verify on a full device: stderr -> the exit code is that of the verification; stdout -> exit 1", {
  skip: process.platform === "linux" ? false : "/dev/full is a device of Linux",
}, async (t) => {
  const { cwd, ok, image, sign } = await storageWorkshop(t);
  await sign();
  await ok("generate-key-pair", "--output-key-prefix", "other");
  const full = openSync("/dev/full", "w");
  t.after(() => closeSync(full));
  const verify = async (key: string, stdio: [number | "pipe", number | "pipe"]) => {
    const argv = [...BEFORE, "verify", "--key", key, NO_LOG, image];
    const child = spawn(PROGRAM, argv, { cwd, env: { ...ENVIRONMENT, HOME: cwd }, stdio: ["ignore", ...stdio] });
    const printed: string[] = [];
    child.stdout?.setEncoding("utf8").on("data", (text: string) => printed.push(text));
    child.stderr?.resume();
    const [code] = await once(child, "close");
    return { code, stdout: printed.join("") };
  };
  const usual = await verify("a.pub", ["pipe", "pipe"]);
  assert.equal(usual.code, 0);
  assert.equal(JSON.parse(usual.stdout).length, 1);
  assert.deepEqual(await verify("a.pub", ["pipe", full]), usual, "stderr is full");
  const refused = await verify("other.pub", ["pipe", "pipe"]);
  assert.notEqual(refused.code, 0);
  assert.deepEqual(await verify("other.pub", ["pipe", full]), refused, "stderr is full");
  assert.equal((await verify("a.pub", [full, "pipe"])).code, 1, "the result is lost");
});
