import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../src/format/digest.ts";
import { preAuthEncoding } from "../src/format/dsse.ts";
import type { Json } from "./support/document-mutations.ts";
import { testSigstore } from "./support/sandbox.ts";
import { attachReferrer, descriptorOf, storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const b64 = (content: string | Uint8Array) => Buffer.from(content).toString("base64");

/** A bundle of another user, signed with their own key. */
function bundleOf(content: Json, tlogEntries: Json[] = []): string {
  const verificationMaterial = { publicKey: { hint: "" }, tlogEntries };
  return JSON.stringify({ mediaType: BUNDLE, verificationMaterial, ...content });
}

test("verify: hostile bundles beside a valid signature -> verified, no crash", async (t) => {
  const { tsign, image, digest, store, cwd } = await storageWorkshop(t);
  const sigstore = await testSigstore();
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  const logId = JSON.parse(sigstore.trustedRoot).tlogs[0].logId;
  const subject = await descriptorOf(store, digest);
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const signature = b64(sign("sha256", Buffer.from("x"), key));
  const message = (algorithm: string, hash: string) => ({
    messageSignature: { messageDigest: { algorithm, digest: b64(createHash(hash).update("x").digest()) }, signature },
  });
  const entry = (more: Json) => ({
    logId,
    logIndex: "1",
    kindVersion: { kind: "hashedrekord", version: "0.0.1" },
    inclusionPromise: { signedEntryTimestamp: "AAAA" },
    inclusionProof: {
      logIndex: "1",
      treeSize: "2",
      rootHash: "AAAA",
      hashes: [],
      checkpoint: { envelope: "x\n\ny\n" },
    },
    canonicalizedBody: b64("{}"),
    ...more,
  });
  const hostile: Record<string, string> = {
    "a digest of an algorithm the image is not known by": bundleOf(message("SHA2_512", "sha512")),
    "a time that no calendar has": bundleOf(message("SHA2_256", "sha256"), [
      entry({ integratedTime: "9000000000000000" }),
    ]),
    "a body that is no entry": bundleOf(message("SHA2_256", "sha256"), [entry({ canonicalizedBody: b64("null") })]),
    "a timestamp that is none": JSON.stringify({
      ...JSON.parse(bundleOf(message("SHA2_256", "sha256"))),
      verificationMaterial: {
        publicKey: {},
        timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: b64(Buffer.from([0x30, 0x80])) }] },
      },
    }),
  };
  for (const layer of Object.values(hostile)) await attachReferrer(store, subject, { layer, layerType: BUNDLE });
  const flags = ["--key", "a.pub", "--trusted-root", "root.json"];
  for (const more of [[], [NO_LOG]]) {
    const refused = await tsign("verify", ...flags, ...more, image);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /no matching signatures: 4 found/);
    assert.doesNotMatch(refused.stderr, /unexpected|cannot be judged|defect|\n {4}at /);
  }
  await tsign("sign", "--key", "a.key", ...OFFLINE, image);
  const verified = await tsign("verify", ...flags, NO_LOG, image);
  assert.equal(verified.code, 0, verified.stderr);
});

test("--check-claims=false: skips the subject, not the type of the payload", async (t) => {
  const { tsign, image, digest, store, cwd } = await storageWorkshop(t);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(cwd, "k.pub"), pair.publicKey.export({ type: "spki", format: "pem" }));
  const subject = await descriptorOf(store, digest);
  const statement = (predicateType: string, hex: string) =>
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      predicateType,
      predicate: {},
      subject: [{ digest: { sha256: hex } }],
    });
  const attach = (payloadType: string, payload: string) => {
    const sig = b64(sign("sha256", preAuthEncoding(payloadType, Buffer.from(payload)), pair.privateKey));
    const dsseEnvelope = { payload: b64(payload), payloadType, signatures: [{ sig }] };
    return attachReferrer(store, subject, { layer: bundleOf({ dsseEnvelope }), layerType: BUNDLE });
  };
  const verify = (...more: string[]) => tsign("verify", "--key", "k.pub", NO_LOG, ...more, image);
  const IN_TOTO = "application/vnd.in-toto+json";
  const SIGN = "https://sigstore.dev/cosign/sign/v1";
  await attach("text/plain", "the key's owner says hello");
  await attach(IN_TOTO, "not JSON");
  await attach("text/plain", statement(SIGN, digest.slice(7)));
  await attach(IN_TOTO, statement("https://slsa.dev/provenance/v1", digest.slice(7)));
  assert.notEqual((await verify()).code, 0);
  const refused = await verify("--check-claims=false");
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, /3 found/);
  await attach(IN_TOTO, statement(SIGN, "0".repeat(64)));
  assert.notEqual((await verify()).code, 0, "it is about another image");
  const passed = await verify("--check-claims=false");
  assert.equal(passed.code, 0, passed.stderr);
  assert.equal(JSON.parse(passed.stdout).length, 1);
});

/** An attestation of a file, by the key `a`. */
async function attested(t: Parameters<typeof temporaryFolder>[0]) {
  const cwd = temporaryFolder(t);
  const tsign = (...argv: string[]) => run(argv, { cwd, env: { COSIGN_PASSWORD: "pw" } });
  await tsign("generate-key-pair", "--output-key-prefix", "a");
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "other"), "other content");
  writeFileSync(join(cwd, "p.json"), "{}");
  const made = await tsign(
    "attest-blob",
    "--key",
    "a.key",
    ...OFFLINE,
    "--predicate",
    "p.json",
    "--bundle",
    "b.json",
    "blob",
  );
  assert.equal(made.code, 0, made.stderr);
  const verify = (...more: string[]) =>
    tsign("verify-blob-attestation", "--key", "a.pub", NO_LOG, "--bundle", "b.json", ...more);
  return { cwd, tsign, verify };
}

test("verify-blob: the named file is verified, even if --digest is given", async (t) => {
  const { verify } = await attested(t);
  const of = (text: string, algorithm = "sha256") => createHash(algorithm).update(text).digest("hex");
  const algorithm = ["--digestAlg", "sha256"];
  assert.equal((await verify("--digest", of("content"), ...algorithm)).code, 0);
  assert.equal((await verify("--digest", of("content"), ...algorithm, "blob")).code, 0);
  assert.equal((await verify("--digest", of("content"), "blob")).code, 0, "the algorithm is told by the length");
  assert.equal((await verify("--digest", of("content", "sha384"), "--digestAlg", "sha384", "blob")).code, 0);
  const right = await verify("--digest", of("content"), ...algorithm, "other");
  assert.equal(right.code, 1, "the digest is attested, the file is not");
  assert.match(right.stderr, /digest mismatch for other/);
  for (const wrong of [
    ["--digest", of("other content"), ...algorithm, "blob"],
    ["--digest", of("other content"), ...algorithm],
    ["--digest", "00", "blob"],
    ["--digest", of("content")],
    ["other"],
    [],
  ]) {
    assert.equal((await verify(...wrong)).code, 1, wrong.join(" "));
  }
});

test("verify-blob, verify-blob-attestation: flags without effect -> refused", async (t) => {
  const { cwd, tsign, verify } = await attested(t);
  const signed = await tsign(
    "sign-blob",
    "--key",
    "a.key",
    ...OFFLINE,
    "--bundle",
    "s.json",
    "--output-signature",
    "s.sig",
    "blob",
  );
  assert.equal(signed.code, 0, signed.stderr);
  const blob = (...more: string[]) => tsign("verify-blob", "--key", "a.pub", NO_LOG, ...more, "blob");
  assert.equal((await blob("--bundle", "s.json")).code, 0);
  for (const flag of ["--sct", "--certificate"]) {
    assert.equal((await blob("--bundle", "s.json", flag, "a.pub")).code, 1, flag);
    assert.equal((await verify(flag, "a.pub", "blob")).code, 1, flag);
  }
  assert.equal((await verify("--rfc3161-timestamp", "a.pub", "blob")).code, 1);
  const signature = JSON.parse(readFileSync(join(cwd, "s.json"), "utf8")).messageSignature.signature;
  assert.equal((await blob("--signature", signature)).code, 0);
  const both = await blob("--signature", signature, "--certificate", "a.pub");
  assert.match(both.stderr, /--certificate and --key cannot be used together/);
  assert.equal(both.code, 1);
});

test("verify --local-image: verifies the image in the folder", async (t) => {
  const { cwd, tsign, ok, image, digest, sign: signImage } = await storageWorkshop(t);
  await signImage();
  await ok("save", "--dir", "saved", image);
  const verify = () => tsign("verify", "--key", "a.pub", NO_LOG, "--local-image", "saved");
  assert.equal((await verify()).code, 0);
  const index = join(cwd, "saved/index.json");
  const written = JSON.parse(readFileSync(index, "utf8"));
  const manifest = join(cwd, "saved/blobs/sha256", digest.slice(7));
  const bytes = readFileSync(manifest);

  writeFileSync(manifest, bytes.toString().replace("{", "{ "));
  assert.match((await verify()).stderr, /digest mismatch/);
  writeFileSync(manifest, bytes);

  const evil = Buffer.from(bytes.toString().replace("{", "{ "));
  writeFileSync(join(cwd, "saved/blobs/sha256", digestOf(evil).slice(7)), evil);
  const second = { ...written.manifests[0], digest: digestOf(evil), size: evil.length };
  writeFileSync(index, JSON.stringify({ ...written, manifests: [...written.manifests, second] }));
  const two = await verify();
  assert.equal(two.code, 1, "one of two images has no signature");
  assert.match(two.stderr, /1 of 2 images verified/);

  const gone = { ...written.manifests[0], digest: `sha256:${"0".repeat(64)}` };
  writeFileSync(index, JSON.stringify({ ...written, manifests: [gone] }));
  assert.match((await verify()).stderr, /manifest sha256:0+ listed in index\.json is missing/);
});
