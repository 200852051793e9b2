import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import { BUN_VERSION, PLATFORMS, thisPlatform } from "../scripts/executable.ts";
import { TOOLS } from "../scripts/tools.ts";
import { exchange } from "../src/io/http.ts";
import { check, TRANSPORT_CASES } from "./support/transport-cases.ts";
import { FILE_CASES } from "./support/transport-file-cases.ts";

/** Io.http on Node, and as the executable has it: Bun's fetch, with node:http for what fetch does differently. */
const BUN = join(TOOLS, "bun", `${PLATFORMS[thisPlatform()]?.bun}-${BUN_VERSION}`, "package/bin/bun");

const MISSING = `no Bun at ${BUN}: npm run executable brings it`;
const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);

test("Io.http on Node: requests, answers, connections and TLS -> as in the table", async () => {
  const differences: string[] = [];
  for (const each of [...TRANSPORT_CASES, ...FILE_CASES]) {
    const difference = await check(each, (request) => exchange(request));
    if (difference !== undefined) differences.push(difference);
  }
  assert.deepEqual(differences, []);
});

test("Io.usesTls on Bun: servers with and without TLS -> as on Node", async (t) => {
  if (!existsSync(BUN)) return t.skip(MISSING);
  const { stderr } = await run(BUN, ["test", "./src/io/probe.test.ts"], { timeout: 60_000, cwd: ROOT });
  assert.match(stderr, /\b3 pass\b/);
  assert.match(stderr, /\b0 fail\b/);
});

test("Io.spawn on Bun: tsign's own programs -> as on Node", async (t) => {
  if (!existsSync(BUN)) return t.skip(MISSING);
  const { stderr } = await run(BUN, ["test", "./src/io/spawn.test.ts"], { timeout: 60_000, cwd: ROOT });
  assert.match(stderr, /\b5 pass\b/);
  assert.match(stderr, /\b0 fail\b/);
});

/** Variables that would change what fetch does by itself. */
const HOSTILE = {
  HTTP_PROXY: "http://127.0.0.1:1",
  http_proxy: "http://127.0.0.1:1",
  HTTPS_PROXY: "http://127.0.0.1:1",
  https_proxy: "http://127.0.0.1:1",
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
};

test("Io.http on Bun: requests, answers, connections and TLS -> as in the table, and the process ends", async (t) => {
  if (!existsSync(BUN)) return t.skip(MISSING);
  const script = join(import.meta.dirname, "support/run-transport-cases.ts");
  const { stdout } = await run(BUN, [script], { timeout: 60_000, env: { PATH: process.env["PATH"], ...HOSTILE } });
  assert.match(stdout, /^\d+ cases, 0 differ$/m, stdout);
});
