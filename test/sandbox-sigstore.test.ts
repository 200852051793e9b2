import assert from "node:assert/strict";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Bundle } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { parseClock } from "../src/sandbox/server/clock.ts";
import type { Fault } from "../src/sandbox/server/faults.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { ALICE, bundleOf, certify, keyOf, leafOf } from "./support/sandbox-client.ts";
import { temporaryFolder, testIo } from "./support/test-io.ts";

/** Verifies with sigstore-js. */
function verify(sandbox: TestSigstore, bundle: Bundle, identity = ALICE, issuer = sandbox.at.issuer): void {
  const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(sandbox.trustedRoot)));
  const policy = { subjectAlternativeName: identity, extensions: { issuer } };
  const data = bundle.content.$case === "messageSignature" ? Buffer.from("hello") : undefined;
  new Verifier(trust, { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 }).verify(
    toSignedEntity(bundle, data),
    policy,
  );
}

const KINDS = [
  { rekor: "rekor1", dsse: false, tsa: false },
  { rekor: "rekor1", dsse: true, tsa: false },
  { rekor: "rekor1", dsse: false, tsa: true },
  { rekor: "rekor2", dsse: false, tsa: true },
  { rekor: "rekor2", dsse: true, tsa: true },
] as const;

for (const kind of KINDS) {
  const name = `${kind.rekor}${kind.tsa ? " and tsa" : ""}, ${kind.dsse ? "statement" : "message"}`;
  test(`sigstore-js: accepts what the sandbox certified, logged and timestamped: ${name}`, async () => {
    const sandbox = await testSigstore();
    // Several entries, so that inclusion proofs are not empty.
    for (let count = 0; count < 3; count++) verify(sandbox, await bundleOf(sandbox, kind));
    const bundle = await bundleOf(sandbox, kind);
    verify(sandbox, bundle);
    assert.throws(() => verify(sandbox, bundle, "mallory@example.com"));
    assert.throws(() => verify(sandbox, bundle, ALICE, sandbox.at.ciIssuer));
  });
}

test("sigstore-js: signature from another sandbox -> refused", async () => {
  const [one, other] = [await testSigstore(), await testSigstore()];
  for (const kind of KINDS) {
    const bundle = await bundleOf(one, kind);
    assert.throws(() => verify(other, bundle));
  }
});

test("sandbox clock: fixed or offset -> used in certificates, log entries and timestamps", async () => {
  const real = testIo();
  for (const clock of ["2025-06-01T00:00:00Z", "+1h", "-26h"]) {
    const sandbox = await testSigstore({ clock: parseClock(clock, real) });
    for (const kind of KINDS) verify(sandbox, await bundleOf(sandbox, kind));
    const leaf = leafOf(await certify(sandbox, keyOf("P-256")));
    assert.ok(Math.abs(leaf.validFromDate.getTime() - sandbox.io.now().getTime()) < 5000);
  }
});

test("sandbox faults -> sigstore-js refuses the bundle", async () => {
  const [message, stamped] = [KINDS[0], KINDS[3]];
  const refused: [Fault["service"], Fault["kind"], (typeof KINDS)[number]][] = [
    ["rekor1", "bad-set", message],
    ["rekor1", "bad-proof", message],
    ["rekor1", "stale-checkpoint", message],
    ["rekor1", "bad-checkpoint", message],
    ["rekor2", "bad-proof", stamped],
    ["rekor2", "stale-checkpoint", stamped],
    ["rekor2", "bad-checkpoint", stamped],
    ["fulcio", "bad-sct", message],
    ["tsa", "wrong-imprint", stamped],
    ["tsa", "rejected", stamped],
  ];
  const sandbox = await testSigstore();
  for (const kind of [message, stamped]) verify(sandbox, await bundleOf(sandbox, kind));
  for (const [service, kind, made] of refused) {
    sandbox.faults.add({ service, kind, times: 1 });
    const bundle = await bundleOf(sandbox, made);
    assert.throws(() => verify(sandbox, bundle), `${service}:${kind}`);
    verify(sandbox, await bundleOf(sandbox, made));
  }
});

test("sigstore-js: workflow certificate -> verifies for its own identity", async () => {
  const sandbox = await testSigstore();
  const bundle = await bundleOf(sandbox, { ...KINDS[0], token: sandbox.mintJob() });
  const workflow = "https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main";
  verify(sandbox, bundle, workflow, sandbox.at.ciIssuer);
  assert.throws(() => verify(sandbox, bundle, workflow));
});

test("sandbox state: signatures verify after a restart", async (t) => {
  const folder = temporaryFolder(t);
  const before = await testSigstore({ folder });
  const bundles = await Promise.all(KINDS.map((kind) => bundleOf(before, kind)));
  const after = await testSigstore({ folder });
  assert.equal(after.trustedRoot, before.trustedRoot);
  assert.equal(after.files["tuf_root.json"], before.files["tuf_root.json"]);
  for (const bundle of bundles) verify(after, bundle);
  for (const kind of KINDS) verify(before, await bundleOf(after, kind));
  for (const name of readdirSync(join(folder, "keys")))
    assert.equal(statSync(join(folder, "keys", name)).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, "keys")).mode & 0o777, 0o700);
  await assert.rejects(testSigstore({ folder, clock: () => new Date("2020-01-01") }), /the clock is before/);
});

test("sandbox state: damaged -> error, files unchanged", async (t) => {
  const folder = temporaryFolder(t);
  const sandbox = await testSigstore({ folder });
  for (let count = 0; count < 2; count++) await bundleOf(sandbox, KINDS[0]);
  rmSync(join(folder, "rekor1", "000000000"));
  await assert.rejects(testSigstore({ folder }), /rekor1: missing entry 0/);
  writeFileSync(join(folder, "keys", "tsa.key"), "no key");
  await assert.rejects(testSigstore({ folder }), /tsa\.key: invalid private key/);
});
