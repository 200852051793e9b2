import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { COSIGN, folder, LEGACY, must, NO_LOG, OFFLINE, run, TSIGN } from "./support.ts";

const SHARED = process.env["TSIGN_SHARED"] ?? resolve(import.meta.dirname, "../../../shared");
const CASES = join(SHARED, "conformance/cases");
/** A timestamp with a token that cosign cannot read, and one with line breaks in its base64, which cosign refuses. */
const DIFFERENT = ["rekor2-timestamp-outside-tsa-cert-validity_fail", "rekor2-timestamp-with-incorrect-time_fail"];

test("bundle inspect shows every bundle of the conformance cases as cosign does", async (t) => {
  const cwd = folder(t);
  let compared = 0;
  for (const name of readdirSync(CASES)) {
    const file = join(CASES, name, "bundle.sigstore.json");
    if (!existsSync(file) || DIFFERENT.includes(name)) continue;
    const [ours, theirs] = [
      await run(TSIGN, ["bundle", "inspect", file], { cwd }),
      await run(COSIGN, ["bundle", "inspect", file], { cwd }),
    ];
    assert.equal(ours.code, theirs.code, name);
    assert.equal(ours.stdout, theirs.stdout, name);
    compared++;
  }
  assert.ok(compared > 30, `${compared} cases`);
});

test("bundle upgrade: same result as cosign's", async (t) => {
  const cwd = folder(t);
  for (const name of [
    "happy-path-v0.1",
    "happy-path-v0.3",
    "intoto-with-custom-trust-root",
    "managed-key-happy-path",
  ]) {
    const file = join(CASES, name, "bundle.sigstore.json");
    const [ours, theirs] = [
      await must(TSIGN, ["bundle", "upgrade", file], { cwd }),
      await must(COSIGN, ["bundle", "upgrade", file], { cwd }),
    ];
    assert.deepEqual(JSON.parse(ours.stdout), withFirstEntry(JSON.parse(theirs.stdout)), name);
  }
});

/** A field that cosign omits from a log's first entry and tsign writes (docs/differences.md). */
function withFirstEntry(bundle: { verificationMaterial: { tlogEntries?: { inclusionProof?: object }[] } }): object {
  for (const entry of bundle.verificationMaterial.tlogEntries ?? []) {
    if (entry.inclusionProof) entry.inclusionProof = { hashes: [], logIndex: "0", ...entry.inclusionProof };
  }
  return bundle;
}

test("bundle create: bundles of either program verify with the other", async (t) => {
  const cwd = folder(t);
  mkdirSync(join(cwd, "out"));
  writeFileSync(join(cwd, "blob"), "content");
  for (const key of ["a", "b"]) await must(TSIGN, ["generate-key-pair", "--output-key-prefix", key], { cwd });
  await must(COSIGN, ["sign-blob", "--key", "a.key", ...OFFLINE, LEGACY, "--output-signature", "s.b64", "blob"], {
    cwd,
  });
  for (const maker of [TSIGN, COSIGN]) {
    const create = [
      "bundle",
      "create",
      "--artifact",
      "blob",
      "--signature",
      "s.b64",
      "--key",
      "a.pub",
      "--ignore-tlog",
    ];
    await must(maker, [...create, "--out", "out/b.json"], { cwd });
    for (const verifier of [TSIGN, COSIGN]) {
      const verify = (key: string) =>
        run(verifier, ["verify-blob", "--key", key, NO_LOG, "--bundle", "out/b.json", "blob"], { cwd });
      assert.equal((await verify("a.pub")).code, 0);
      assert.notEqual((await verify("b.pub")).code, 0);
    }
    assert.match(readFileSync(join(cwd, "out/b.json"), "utf8"), /messageSignature/);
  }
});

test("bundle create: attestation bundles of either program verify with the other", async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "other"), "other content");
  writeFileSync(join(cwd, "predicate"), "{}");
  await must(TSIGN, ["generate-key-pair"], { cwd });
  await must(COSIGN, ["sign-blob", "--key", "cosign.key", ...OFFLINE, LEGACY, "--output-signature", "s.b64", "blob"], {
    cwd,
  });
  const attest = ["attest-blob", "--key", "cosign.key", ...OFFLINE, LEGACY, "--predicate", "predicate"];
  await must(COSIGN, [...attest, "--output-signature", "att.json", "blob"], { cwd });
  for (const maker of [TSIGN, COSIGN]) {
    // cosign requires a signature too, and ignores it.
    const create = ["bundle", "create", "--artifact", "blob", "--attestation", "att.json", "--signature", "s.b64"];
    await must(maker, [...create, "--key", "cosign.pub", "--ignore-tlog", "--out", "b.json"], { cwd });
    for (const verifier of [TSIGN, COSIGN]) {
      const verify = ["verify-blob-attestation", "--key", "cosign.pub", NO_LOG, "--bundle", "b.json"];
      assert.equal((await run(verifier, [...verify, "blob"], { cwd })).code, 0);
      assert.notEqual((await run(verifier, [...verify, "other"], { cwd })).code, 0);
    }
  }
});

test("bundle create: contradictory parts -> cosign's message", async (t) => {
  const cwd = folder(t);
  for (const part of ["--signature", "--certificate"]) {
    const create = ["bundle", "create", "--artifact", "blob", "--bundle", "old.json", part, "x", "--ignore-tlog"];
    const [ours, theirs] = [await run(TSIGN, create, { cwd }), await run(COSIGN, create, { cwd })];
    assert.equal(ours.code, 1);
    assert.equal(ours.stderr.split("\n")[0], theirs.stderr.split("\n")[0]);
  }
});
