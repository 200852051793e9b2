import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { attachmentTag } from "../src/oci/tags.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { testSigstore } from "./support/sandbox.ts";
import { attachReferrer, descriptorOf, storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const ALICE = "alice@example.com";
const BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const SIGN = "https://sigstore.dev/cosign/sign/v1";

// biome-ignore lint/suspicious/noExplicitAny: JSON as programs read it
const printed = (stdout: string): any[] => JSON.parse(stdout);

/** An image signed keyless in the legacy format, and a function that changes the annotations of its signature layer. */
async function keyless(context: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(context);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1Tsa);
  const env = { COSIGN_PASSWORD: "" };
  const tsign = (...argv: string[]) => run(argv, { cwd, io: sigstore.io, env });
  const reference = parseReference(`${sigstore.registry}/app:v1`);
  const store = await openRegistry(testIo({ io: sigstore.io }), reference, PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "a", content: Buffer.from("a"), tag: "v1" });
  const image = `${sigstore.registry}/app@${digest}`;
  const services = ["--signing-config", "config.json", "--trusted-root", "root.json", "--format", "legacy"];
  const sign = async (...more: string[]) => {
    const token = ["--yes", "--identity-token", sigstore.mint(ALICE)];
    const signed = await tsign("sign", ...token, ...services, ...more, image);
    assert.equal(signed.code, 0, signed.stderr);
  };
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  const verify = (...more: string[]) => tsign("verify", ...who, "--trusted-root", "root.json", ...more, image);
  const change = async (edit: (annotations: Record<string, string>) => void) => {
    const tag = attachmentTag(digest, "sig");
    const stored = (await store.manifest(tag)) ?? assert.fail("no signature");
    const manifest = JSON.parse(Buffer.from(stored.bytes).toString());
    edit(manifest.layers[0].annotations);
    await store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType: MANIFEST, tag });
  };
  return { sigstore, sign, verify, change };
}

test("verify prints the log entry, timestamp and identity that it verified, without members that a registry added", async (t) => {
  const { sign, verify, change, sigstore } = await keyless(t);
  await sign("-a", "env=prod");
  const before = await verify("--use-signed-timestamps");
  assert.equal(before.code, 0, before.stderr);
  const [{ optional }] = printed(before.stdout);
  assert.equal(optional.Subject, ALICE);
  assert.equal(optional.Issuer, sigstore.at.issuer);
  assert.equal(optional.env, "prod");
  assert.deepEqual(Object.keys(optional.Bundle), ["SignedEntryTimestamp", "Payload"]);
  assert.deepEqual(Object.keys(optional.Bundle.Payload), ["body", "integratedTime", "logIndex", "logID"]);
  assert.deepEqual(Object.keys(optional.RFC3161Timestamp), ["SignedRFC3161Timestamp"]);
  await change((annotations) => {
    const entry = JSON.parse(annotations["dev.sigstore.cosign/bundle"] ?? "");
    entry.Payload.reviewedBy = "security team";
    entry.Verified = true;
    annotations["dev.sigstore.cosign/bundle"] = JSON.stringify(entry);
    const timestamp = JSON.parse(annotations["dev.sigstore.cosign/rfc3161timestamp"] ?? "");
    annotations["dev.sigstore.cosign/rfc3161timestamp"] = JSON.stringify({ ...timestamp, Policy: "approved" });
    annotations["Issuer"] = "https://trusted.example";
    annotations["dev.sigstore.cosign/chain"] = "Subject: somebody else";
  });
  const after = await verify("--use-signed-timestamps");
  assert.equal(after.code, 0, after.stderr);
  assert.equal(after.stdout, before.stdout);
});

test("verify: unverified log entry or untrusted timestamp -> not printed", async (t) => {
  const { sign, verify } = await keyless(t);
  await sign();
  const unlogged = await verify(NO_LOG);
  assert.equal(unlogged.code, 0, unlogged.stderr);
  const [{ optional }] = printed(unlogged.stdout);
  assert.ok(!("Bundle" in optional), "the log was not checked");
  assert.ok("RFC3161Timestamp" in optional, "the timestamp was");
  assert.doesNotMatch(unlogged.stderr, /transparency log was verified/);
});

test('verify: prints "offline" only if the log entry was stored with the signature', async (t) => {
  const { sign, verify, change, sigstore } = await keyless(t);
  await sign();
  assert.match((await verify()).stderr, /transparency log was verified offline/);
  await change((annotations) => delete annotations["dev.sigstore.cosign/bundle"]);
  const fetched = await verify("--rekor-url", sigstore.at.rekor1);
  assert.equal(fetched.code, 0, fetched.stderr);
  assert.doesNotMatch(fetched.stderr, /offline/);
  assert.equal(JSON.parse(fetched.stdout)[0].optional?.Bundle, undefined, "as cosign prints what it looked up");
  assert.match(fetched.stderr, /The claims were present in the transparency log/);
  assert.notEqual((await verify("--offline")).code, 0);
});

test("verify: signed annotations with names of verified fields -> omitted with a warning", async (t) => {
  const { sign, tsign, image } = await storageWorkshop(t);
  const names = [
    "Issuer",
    "Subject",
    "Bundle",
    "RFC3161Timestamp",
    "githubWorkflowRepository",
    "1.3.6.1.4.1.57264.1.8",
  ];
  const claims = names.flatMap((name) => ["-a", `${name}=trusted`]);
  for (const form of [LEGACY, "--new-bundle-format=true"]) {
    await sign(form, ...claims, "-a", `own=${form}`);
    const verified = await tsign(
      "verify",
      "--key",
      "a.pub",
      NO_LOG,
      "-a",
      `own=${form}`,
      "-a",
      "Issuer=trusted",
      image,
    );
    assert.equal(verified.code, 0, verified.stderr);
    assert.deepEqual(
      printed(verified.stdout).map(({ optional }) => optional),
      [{ own: form }],
    );
    assert.match(verified.stderr, /reserved names are left out: .*Issuer/);
    for (const name of names) assert.ok(verified.stderr.includes(name), name);
  }
  await sign(LEGACY, "-a", "issuer=x", "-a", "subject=y");
  const harmless = await tsign("verify", "--key", "a.pub", NO_LOG, "-a", "issuer=x", image);
  assert.deepEqual(printed(harmless.stdout)[0].optional, { issuer: "x", subject: "y" });
  assert.doesNotMatch(harmless.stderr, /left out/);
});

test("verify, verify-attestation: check and print the subject that is the image", async (t) => {
  const { cwd, ok, tsign, store, digest, image } = await storageWorkshop(t);
  const about = (sha256: string, annotations: object) => ({ digest: { sha256 }, annotations });
  const [own, other] = [digest.slice(7), "0".repeat(64)];
  const subject = [
    about(other, { env: "test", other: "first" }),
    { digest: { sha1: "0".repeat(40), sha256: own }, annotations: { env: "staging" } },
    about(other, { env: "prod", Issuer: "x" }),
  ];
  const statement = { _type: "https://in-toto.io/Statement/v1", subject, predicateType: SIGN, predicate: {} };
  writeFileSync(join(cwd, "statement.json"), JSON.stringify(statement));
  await ok("attest-blob", "--key", "a.key", ...OFFLINE, "--statement", "statement.json", "--bundle", "b.json");
  const layer = readFileSync(join(cwd, "b.json"), "utf8");
  await attachReferrer(store, await descriptorOf(store, digest), {
    layer,
    layerType: BUNDLE_TYPE,
    more: { artifactType: BUNDLE_TYPE },
  });
  const verify = (...more: string[]) => tsign("verify", "--key", "a.pub", NO_LOG, ...more, image);
  const verified = await verify("-a", "env=staging");
  assert.equal(verified.code, 0, verified.stderr);
  const [{ critical, optional }] = printed(verified.stdout);
  assert.deepEqual(optional, { env: "staging" });
  assert.equal(critical.image["docker-manifest-digest"], digest);
  for (const wrong of ["env=prod", "env=test", "other=first"])
    assert.notEqual((await verify("-a", wrong)).code, 0, wrong);
});

test("verify --check-claims=false: prints the subject of the statement, not the image", async (t) => {
  const { cwd, ok, tsign, store, digest, image } = await storageWorkshop(t);
  const other = "0".repeat(64);
  const subject = [{ digest: { sha256: other }, annotations: { env: "prod" } }];
  const statement = { _type: "https://in-toto.io/Statement/v1", subject, predicateType: SIGN, predicate: {} };
  writeFileSync(join(cwd, "statement.json"), JSON.stringify(statement));
  await ok("attest-blob", "--key", "a.key", ...OFFLINE, "--statement", "statement.json", "--bundle", "b.json");
  const more = { layer: readFileSync(join(cwd, "b.json"), "utf8"), layerType: BUNDLE_TYPE };
  await attachReferrer(store, await descriptorOf(store, digest), { ...more, more: { artifactType: BUNDLE_TYPE } });
  const verify = ["verify", "--key", "a.pub", NO_LOG];
  assert.notEqual((await tsign(...verify, image)).code, 0);
  const [{ critical }] = printed((await ok(...verify, "--check-claims=false", image)).stdout);
  assert.equal(critical.image["docker-manifest-digest"], `sha256:${other}`);
});

test("verify: signature of a file equal to the image's manifest -> refused", async (t) => {
  const { cwd, ok, tsign, store, digest, image, sign } = await storageWorkshop(t);
  const stored = (await store.manifest(digest)) ?? assert.fail("no image");
  writeFileSync(join(cwd, "upload.json"), stored.bytes);
  await ok("sign-blob", "--key", "a.key", ...OFFLINE, "--bundle", "b.json", "upload.json");
  await ok("verify-blob", "--key", "a.pub", NO_LOG, "--bundle", "b.json", "upload.json");
  const more = { layer: readFileSync(join(cwd, "b.json"), "utf8"), layerType: BUNDLE_TYPE };
  await attachReferrer(store, stored.descriptor, { ...more, more: { artifactType: BUNDLE_TYPE } });
  for (const claims of [[], ["--check-claims=false"]]) {
    const refused = await tsign("verify", "--key", "a.pub", NO_LOG, ...claims, image);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /signature of a file/);
  }
  assert.notEqual((await tsign("verify-attestation", "--key", "a.pub", NO_LOG, image)).code, 0);
  await sign();
  await ok("verify", "--key", "a.pub", NO_LOG, image);
});

test("verify -a: repeated annotation -> every value required; sign: two values of one annotation -> refused", async (t) => {
  const { sign, tsign, ok, image } = await storageWorkshop(t);
  await sign("--format", "both", "-a", "env=dev", "-a", "env=dev", "-a", "team=a");
  const verify = ["verify", "--key", "a.pub", NO_LOG];
  await ok(...verify, "-a", "env=dev", "-a", "team=a", image);
  await ok(...verify, "-a", "env=dev,env=dev", image);
  for (const values of [["env=prod", "env=dev"], ["env=dev", "env=prod"], ["env=dev,env="]]) {
    const demanded = values.flatMap((value) => ["-a", value]);
    assert.equal((await tsign(...verify, ...demanded, image)).code, 12, values.join(" "));
  }
  const signing = ["sign", "--key", "a.key", ...OFFLINE];
  const refused = await tsign(...signing, "-a", "env=dev", "-a", "env=prod", image);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /annotation env has two values: "dev" and "prod"/);
  assert.equal((await tsign("generate", "-a", "env=dev,env=prod", image)).code, 1);
});

test("verify: prints `optional` of the payload as signed; not an object -> refused", async (t) => {
  const { cwd, ok, tsign, image, digest } = await storageWorkshop(t);
  for (const [optional, code] of [
    ["null", 0],
    ["{}", 0],
    ['{"a":{"b":[1]}}', 0],
    ['"x"', 12],
    ["[]", 12],
    ["7", 12],
    ['{"m":1.0,"n":9007199254740993}', 0],
  ] as const) {
    const critical = {
      identity: { "docker-reference": "r/app" },
      image: { "docker-manifest-digest": digest },
      type: "cosign container image signature",
    };
    writeFileSync(join(cwd, "payload.json"), `{"critical":${JSON.stringify(critical)},"optional":${optional}}`);
    await ok("sign-blob", "--key", "a.key", ...OFFLINE, LEGACY, "--output-signature", "s", "payload.json");
    const given = ["--signature", "s", "--payload", "payload.json"];
    const verified = await tsign("verify", "--key", "a.pub", NO_LOG, ...given, image);
    assert.equal(verified.code, code, `${optional}: ${verified.stderr}`);
    if (code === 0)
      assert.ok(verified.stdout.includes(`"optional":${optional === "{}" ? "null" : optional}`), verified.stdout);
  }
});

test("verify-attestation prints an envelope as it is stored, with keyid and unknown members, on one line", async (t) => {
  const { cwd, ok, tsign, store, digest, image } = await storageWorkshop(t);
  writeFileSync(join(cwd, "p.json"), "{}");
  await ok("attest", "--key", "a.key", ...OFFLINE, "--new-bundle-format=false", "--predicate", "p.json", image);
  const tag = attachmentTag(digest, "att");
  const stored = (await store.manifest(tag)) ?? assert.fail("no attestation");
  const manifest = JSON.parse(Buffer.from(stored.bytes).toString());
  const [layer] = stored.manifest.layers;
  const envelope = JSON.parse(Buffer.from(await store.blob(layer ?? assert.fail(), { maxBytes: 1e6 })).toString());
  envelope.signatures[0].keyid = "SHA256:abc<é>";
  envelope.note = "kept \u202e as an escape";
  for (const indent of [0, 2]) {
    const text = JSON.stringify(envelope, null, indent);
    const { digest: changed, size } = await store.putBlob(Buffer.from(text));
    Object.assign(manifest.layers[0], { digest: changed, size });
    await store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType: MANIFEST, tag });
    const verified = await tsign("verify-attestation", "--key", "a.pub", NO_LOG, image);
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal(verified.stdout.trimEnd().split("\n").length, 1);
    assert.deepEqual(JSON.parse(verified.stdout), envelope);
    if (indent === 0) assert.equal(verified.stdout, `${text}\n`);
  }
});

test("verify-attestation prints the keyid of a bundle's envelope", async (t) => {
  const { cwd, ok, tsign, store, digest, image } = await storageWorkshop(t);
  writeFileSync(join(cwd, "p.json"), "{}");
  await ok("attest", "--key", "a.key", ...OFFLINE, "--predicate", "p.json", "--bundle", "b.json", image);
  await ok("clean", "--force", image);
  const bundle = JSON.parse(readFileSync(join(cwd, "b.json"), "utf8"));
  bundle.dsseEnvelope.signatures[0].keyid = "key-1";
  const more = { layer: JSON.stringify(bundle), layerType: BUNDLE_TYPE };
  await attachReferrer(store, await descriptorOf(store, digest), { ...more, more: { artifactType: BUNDLE_TYPE } });
  const verified = await tsign("verify-attestation", "--key", "a.pub", NO_LOG, image);
  assert.equal(verified.code, 0, verified.stderr);
  assert.deepEqual(Object.keys(JSON.parse(verified.stdout)), ["payload", "payloadType", "signatures"]);
  assert.equal(JSON.parse(verified.stdout).signatures[0].keyid, "key-1");
});
