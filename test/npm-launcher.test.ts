import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { thisPlatform } from "../scripts/executable.ts";
import { temporaryFolder } from "./support/test-io.ts";

const LAUNCHER = resolve(import.meta.dirname, "../bin/tsign.cjs");
const EXECUTABLE = '#!/bin/sh\necho "executable: $*"\nexit 3\n';

/** Installs the launcher and a script in place of the executable, as npm does. */
function installed(context: TestContext) {
  const root = temporaryFolder(context);
  const modules = join(root, "node_modules");
  const write = (path: string, text: string, mode?: number) => {
    const file = join(modules, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode });
    return file;
  };
  const sha256 = createHash("sha256").update(EXECUTABLE).digest("hex");
  const executables = { [thisPlatform()]: { package: "@tsign/here", program: "tsign", sha256 } };
  write("tsign/bin/executables.json", JSON.stringify(executables));
  write("tsign/dist/main.mjs", 'console.log("JavaScript");\n');
  write("@tsign/here/package.json", "{}");
  const executable = write("@tsign/here/tsign", EXECUTABLE, 0o755);
  const launcher = join(modules, "tsign/bin/tsign.cjs");
  cpSync(LAUNCHER, launcher);
  const start = () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--no-warnings", launcher, "verify", "a b"], {
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };
  return { executable, start };
}

test("npm launcher: the executable of this release is started with the arguments, and its exit code is kept", (t) => {
  assert.deepEqual(installed(t).start(), { status: 3, stdout: "executable: verify a b\n", stderr: "" });
});

test("npm launcher: an executable that is altered, missing or not executable -> one clear line, nothing runs", (t) => {
  const altered = `${EXECUTABLE}#`;
  const digests = [altered, EXECUTABLE].map((text) => createHash("sha256").update(text).digest("hex"));
  for (const [alter, reason] of [
    [(path: string) => writeFileSync(path, altered), `sha256 mismatch: got ${digests[0]}, want ${digests[1]}`],
    [(path: string) => rmSync(path), "ENOENT: no such file or directory"],
    [(path: string) => chmodSync(path, 0o644), "EACCES: permission denied"],
  ] as const) {
    const { executable, start } = installed(t);
    alter(executable);
    const stderr = `Error: start ${executable}: ${reason}\nhint: install tsign again\n`;
    assert.deepEqual(start(), { status: 1, stdout: "", stderr });
  }
});

test("npm launcher: without the platform's package -> runs as JavaScript", (t) => {
  const { executable, start } = installed(t);
  rmSync(dirname(executable), { recursive: true });
  assert.deepEqual(start(), { status: 0, stdout: "JavaScript\n", stderr: "" });
});
