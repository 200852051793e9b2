import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { BEFORE, ENVIRONMENT, PROGRAM } from "./support/program.ts";
import { storageWorkshop } from "./support/storage.ts";

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
