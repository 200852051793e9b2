import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { jsonAnswer } from "./support/json-answer.ts";
import { NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

for (const [command, sign, more] of [
  ["verify-blob", ["sign-blob"], []],
  ["verify-blob-attestation", ["attest-blob", "--type=custom", "--predicate=p"], ["--type=custom"]],
] as const) {
  test(`${command} --json: one document on stdout, with every check, for a good, a bad and a malformed signature`, async (t) => {
    const cwd = temporaryFolder(t);
    const tsign = (...argv: string[]) => run(argv, { cwd, env: { COSIGN_PASSWORD: "pw" } });
    for (const [name, text] of Object.entries({ file: "content", other: "other", p: "{}", bad: "{" })) {
      writeFileSync(join(cwd, name), text);
    }
    await tsign("generate-key-pair");
    const signed = await tsign(...sign, "--key=cosign.key", ...OFFLINE, "-y", "--bundle=out.json", "file");
    assert.equal(signed.code, 0, signed.stderr);
    const verify = async (...argv: string[]) => {
      const answer = await tsign(command, "--json", "--key=cosign.pub", NO_LOG, ...more, ...argv);
      const { code, document } = jsonAnswer(answer, command);
      const { result, error } = document as unknown as {
        result?: { file: string; signature: { verified: boolean; form: string; checks: { outcome: string }[] } };
        error?: { code: string; fields: { check?: string } };
      };
      return { code, result, error };
    };
    const good = await verify("--bundle=out.json", "file");
    assert.equal(good.code, 0);
    assert.equal(good.result?.signature.form, "bundle");
    assert.ok(good.result?.signature.checks.some(({ outcome }) => outcome === "passed"));
    const bad = await verify("--bundle=out.json", "other");
    assert.equal(bad.code, 1);
    assert.equal(bad.error?.code, "bad-signature");
    assert.equal(bad.result?.signature.verified, false);
    assert.equal(bad.result?.signature.checks.at(-1)?.outcome, "failed");
    const malformed = await verify("--bundle=bad", "file");
    assert.ok(malformed.code === 1 && malformed.result === undefined && malformed.error);
  });
}
