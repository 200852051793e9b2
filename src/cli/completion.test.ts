import assert from "node:assert/strict";
import { test } from "node:test";
import { complete, formatCompletion } from "./completion.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";

async function words(...line: string[]): Promise<{ words: string[]; directive: number }> {
  const { candidates, directive } = await complete(line, GLOBAL_FLAGS);
  return { words: candidates.map(({ word }) => word), directive };
}

test("commands, their groups and help are proposed, hidden ones are not", async () => {
  assert.deepEqual((await words("ver")).words, [
    "verify",
    "verify-attestation",
    "verify-blob",
    "verify-blob-attestation",
    "version",
  ]);
  assert.deepEqual((await words("triang")).words, []);
  assert.ok((await words("")).words.includes("help"));
  assert.deepEqual((await words("download", "")).words, ["attestation", "sbom", "signature"]);
  assert.deepEqual((await words("help", "download", "")).words, ["attestation", "sbom", "signature"]);
  assert.deepEqual((await words("help", "ver")).words, [
    "verify",
    "verify-attestation",
    "verify-blob",
    "verify-blob-attestation",
    "version",
  ]);
  assert.deepEqual((await words("bogus", "")).words, []);
});

test("flags before the command are passed over, with the values they take", async () => {
  for (const before of [["--timeout", "5s"], ["-t", "5s"], ["--timeout=5s"], ["--verbose"]]) {
    assert.deepEqual((await words(...before, "vers")).words, ["version"], before.join(" "));
  }
  assert.deepEqual(await words("--timeout", "ver"), { words: [], directive: 4 });
});

test("flags are proposed by name, deprecated ones are not, none after --", async () => {
  assert.deepEqual((await words("--")).words, ["--help", "--output-file", "--timeout", "--verbose"]);
  assert.deepEqual((await words("verify", "--ke")).words, ["--key"]);
  assert.deepEqual((await words("verify-blob", "--offl")).words, []);
  assert.deepEqual((await words("verify", "--", "--ke")).words, []);
});

test("values are proposed where they are known, files where they may be one", async () => {
  assert.deepEqual(await words("clean", "--type", "s"), { words: ["signature", "sbom"], directive: 4 });
  assert.deepEqual((await words("clean", "--type=s")).words, ["signature", "sbom"]);
  assert.deepEqual((await words("verify", "-o", "")).words, ["json", "text"]);
  assert.deepEqual((await words("completion", "")).words, ["bash", "zsh", "fish", "powershell"]);
  assert.deepEqual((await words("completion", "bash", "")).words, []);
  assert.deepEqual((await words("verify", "--check-claims=")).words, ["true", "false"]);
  assert.deepEqual(await words("verify", "--check-claims", ""), { words: [], directive: 0 });
  assert.deepEqual(await words("verify", "--key", ""), { words: [], directive: 0 });
  assert.deepEqual(await words("verify", "--max-workers", ""), { words: [], directive: 4 });
  assert.deepEqual(await words("verify", "--bogus", ""), { words: [], directive: 0 });
});

test("an answer is a line for each candidate, then the directive", async () => {
  const completion = await complete(["vers"], GLOBAL_FLAGS);
  assert.equal(formatCompletion(completion, { descriptions: true }), "version\tPrint the version\n:4\n");
  assert.equal(formatCompletion(completion, { descriptions: false }), "version\n:4\n");
});
