import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./support/test-io.ts";

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

test("npm test: an error that nobody catches -> its file fails, and does not wait", (context) => {
  const folder = temporaryFolder(context);
  const files = {
    "good.test.mjs": 'test("good", async () => {});',
    "thrown.test.mjs": 'test("thrown", () => new Promise(() => { setInterval(() => { throw new Error("x"); }, 5); }));',
    "rejected.test.mjs":
      'test("rejected", async () => { Promise.reject(new Error("y")); await new Promise((done) => setTimeout(done, 50)); });',
  };
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(folder, name);
    writeFileSync(path, `import { test } from "node:test";\n${text}\n`);
    return path;
  });
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const options = ["--import", file("support/untracked.ts"), "--test-reporter", file("support/reporter.ts")];
  const { status, stdout } = spawnSync(process.execPath, ["--test", ...options, ...paths], {
    env,
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.equal(status, 1);
  assert.match(stdout, /^1 passed, 2 failed$/m);
  assert.match(stdout, /FAILED .*thrown\.test\.mjs/);
  assert.match(stdout, /FAILED .*rejected\.test\.mjs/);
});
