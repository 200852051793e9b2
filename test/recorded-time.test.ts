import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Digest } from "../src/format/digest.ts";
import { attachmentTag } from "../src/oci/tags.ts";
import type { Descriptor, ImageStore } from "../src/oci/types.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, OFFLINE, run } from "./support/test-io.ts";

const EPOCH = "1700000000";
const TIME = "2023-11-14T22:13:20Z";

async function referrersOf(store: ImageStore, digest: Digest) {
  const found: Descriptor[] = [];
  for await (const each of store.referrers(digest)) if ("digest" in each) found.push(each);
  return found;
}

test("SOURCE_DATE_EPOCH: recorded by every command, in both forms", async (t) => {
  const { cwd, env, image, digest, store } = await storageWorkshop(t);
  writeFileSync(join(cwd, "p.json"), "{}");
  const at = { ...env, SOURCE_DATE_EPOCH: EPOCH };
  const done = async (...argv: string[]) => {
    const outcome = await run(argv, { cwd, env: at });
    assert.equal(outcome.code, 0, `${argv.join(" ")}: ${outcome.stderr}`);
    return outcome.stdout;
  };
  const key = ["--key", "a.key", ...OFFLINE];
  const predicate = ["--predicate", "p.json"];
  await done("sign", ...key, image);
  await done("sign", ...key, LEGACY, "--record-creation-timestamp", image);
  await done("attest", ...key, ...predicate, image);
  await done("attest", ...key, ...predicate, LEGACY, "--record-creation-timestamp", image);
  await done("attest-blob", ...key, ...predicate, "--bundle", "blob.json", "p.json");
  for (const each of await referrersOf(store, digest)) {
    const stored = await store.manifest(each.digest);
    assert.equal(stored?.manifest.annotations["org.opencontainers.image.created"], TIME);
  }
  for (const suffix of ["sig", "att"] as const) {
    const stored = await store.manifest(attachmentTag(digest, suffix));
    const config = stored?.manifest.config ?? assert.fail(`no .${suffix}`);
    const { created } = JSON.parse(Buffer.from(await store.blob(config, { maxBytes: 1e6 })).toString());
    assert.equal(created, TIME, suffix);
  }
  const again = await run(["attest-blob", ...key, ...predicate, "--bundle", "again.json", "p.json"], { cwd, env: at });
  assert.equal(again.code, 0);
  const shown = await done("download", "attestation", image);
  let custom = 0;
  for (const line of shown.trim().split("\n")) {
    const { dsseEnvelope, payload } = JSON.parse(line);
    const statement = JSON.parse(Buffer.from(dsseEnvelope?.payload ?? payload, "base64").toString());
    if (!statement.predicateType.startsWith("https://cosign.sigstore.dev/")) continue; // the predicate of sign has no time
    assert.equal(statement.predicate.Timestamp, TIME);
    custom++;
  }
  assert.ok(custom > 0);
});

test("SOURCE_DATE_EPOCH: not a number of seconds -> refused before anything is sent or written", async (t) => {
  const { cwd, env, image, digest, store } = await storageWorkshop(t);
  writeFileSync(join(cwd, "p.json"), "{}");
  const key = ["--key", "a.key", ...OFFLINE];
  const lines = [
    ["sign", ...key, image],
    ["sign", ...key, LEGACY, image],
    ["attest", ...key, "--predicate", "p.json", image],
    ["attest", ...key, "--predicate", "p.json", LEGACY, image],
    ["attest-blob", ...key, "--predicate", "p.json", "--bundle", "out.json", "p.json"],
    ["attach", "attestation", "--attestation", "p.json", image],
    ["attach", "signature", "--signature", "p.json", image],
  ];
  for (const line of lines) {
    for (const epoch of ["yesterday", "1.5", "1700000000x", "0x10", "99999999999999"]) {
      const refused = await run(line, { cwd, env: { ...env, SOURCE_DATE_EPOCH: epoch } });
      assert.equal(refused.code, 1, line.join(" "));
      const message = `Error: SOURCE_DATE_EPOCH should be the number of seconds since January 1st 1970, 00:00 UTC, got: "${epoch}"`;
      assert.ok(refused.stderr.includes(message), refused.stderr);
    }
  }
  assert.deepEqual(await referrersOf(store, digest), []);
  const empty = await run(["sign", ...key, image], { cwd, env: { ...env, SOURCE_DATE_EPOCH: "" } });
  assert.equal(empty.code, 0, empty.stderr);
});
