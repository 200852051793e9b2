import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { testSigstore } from "./support/sandbox.ts";
import { LEGACY, OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

test("tree --signers: shows the claimed signer of each signature and attestation; tree alone shows none", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const tsign = (...argv: string[]) => run(argv, { cwd, io: sigstore.io, env: { COSIGN_PASSWORD: "test" } });
  const io = testIo({ cwd, io: sigstore.io });
  const name = `${sigstore.registry}/app:v1`;
  const store = await openRegistry(io, parseReference(name), PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("content"), tag: "v1" });
  const image = `${sigstore.registry}/app@${digest}`;
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor2);
  writeFileSync(join(cwd, "p.json"), "{}");
  const keyless = ["--yes", "--signing-config", "config.json", "--trusted-root", "root.json"];
  const token = ["--identity-token", sigstore.mint("alice@example.com")];
  for (const argv of [
    ["generate-key-pair"],
    ["sign", ...keyless, ...token, image],
    ["attest", ...keyless, "--identity-token", sigstore.mint("bob@example.com"), "--predicate", "p.json", image],
    ["sign", "--key", "cosign.key", ...OFFLINE, LEGACY, image],
  ]) {
    const done = await tsign(...argv);
    assert.equal(done.code, 0, done.stderr);
  }
  const shown = await tsign("tree", "--signers", image);
  assert.equal(shown.code, 0, shown.stderr);
  const by = shown.stdout.split("\n").filter((line) => /^[\s│]+by /.test(line));
  assert.equal(by.length, 3, shown.stdout);
  assert.ok(by.some((line) => line.includes(`alice@example.com (${sigstore.at.issuer})`)));
  assert.ok(by.some((line) => line.includes("bob@example.com")));
  assert.ok(by.some((line) => line.includes("a key")));
  assert.match(shown.stderr, /nothing was verified/);
  const plain = await tsign("tree", image);
  assert.doesNotMatch(plain.stdout + plain.stderr, /alice|by a key|verified/);
});
