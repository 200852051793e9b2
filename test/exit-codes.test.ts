import assert from "node:assert/strict";
import { test } from "node:test";
import { TABLE } from "../src/cli/table.ts";
import { TsignError } from "../src/errors.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run } from "./support/test-io.ts";

/** Reads the table of exit codes in the help of a command. */
async function codesInHelp(words: readonly string[]): Promise<Map<number, string>> {
  const { stdout } = await run([...words, "--help"]);
  const [, section = ""] = /^Exit codes:\n((?: .*\n?)+)/m.exec(stdout) ?? [];
  const rows = [...section.matchAll(/^ +(\d+) +(\S.*(?:\n +(?![\d ])\S.*)*)$/gm)];
  return new Map(rows.map(([, code, meaning = ""]) => [Number(code), meaning.replace(/\s+/g, " ")]));
}

test("verify: every outcome -> exit code and meaning of the table in its help", async (t) => {
  const { tsign, ok, image, registry } = await storageWorkshop(t);
  await ok("generate-key-pair", "--output-key-prefix", "b");
  const pushed = async (name: string) => (await ok("sandbox", "push", name)).stdout.trim();
  const [bundle, legacy, both, bare] = [await pushed("bundle"), await pushed("legacy"), await pushed("both"), image];
  const sign = (...argv: string[]) => ok("sign", "--key", "a.key", ...OFFLINE, ...argv);
  await sign(bundle);
  await sign(LEGACY, legacy);
  await sign("--format", "both", both);
  const situations: [key: string, image: string, code: number, meaning: RegExp][] = [
    ["a.pub", bundle, 0, /success/],
    ["a.pub", legacy, 0, /success/],
    ["a.pub", bare, 10, /no signatures/],
    ["a.pub", `${registry}/nosuch:v1`, 11, /does not exist/],
    ["b.pub", legacy, 12, /could be verified, and the image has legacy signatures/],
    ["b.pub", both, 12, /no signature could be verified/],
    ["b.pub", bundle, 1, /only bundles that could not be verified/],
    ["nosuch.pub", bundle, 1, /any other failure/],
    ["a.pub", "not a reference", 1, /any other failure/],
  ];
  const table = await codesInHelp(["verify"]);
  for (const [key, name, code, meaning] of situations) {
    const outcome = await tsign("verify", "--key", key, NO_LOG, name);
    assert.equal(outcome.code, code, `${key} ${name}: ${outcome.stderr}`);
    assert.match(table.get(code) ?? "not in the table", meaning);
  }
  assert.deepEqual([...table.keys()], [0, 1, 10, 11, 12, 130]);
});

test("verify-attestation: any failure -> exit code 1, as its help says", async (t) => {
  const { tsign, image, registry } = await storageWorkshop(t);
  const table = await codesInHelp(["verify-attestation"]);
  assert.deepEqual([...table.keys()], [0, 1, 130]);
  for (const name of [image, `${registry}/nosuch:v1`, "not a reference"]) {
    assert.equal((await tsign("verify-attestation", "--key", "a.pub", NO_LOG, name)).code, 1);
  }
});

test("every command: help lists exit codes 0, 1 and 130; an interrupted command exits 130", async () => {
  const stop = new AbortController();
  stop.abort(new TsignError("cancelled", "interrupted", { exitCode: 130 }));
  for (const { words } of TABLE) {
    const table = await codesInHelp(words);
    for (const code of [0, 1, 130]) assert.ok(table.has(code), `${words.join(" ")}: ${code}`);
  }
  const { code } = await run(["env"], { io: { signal: stop.signal } });
  assert.equal(code, 130);
});
