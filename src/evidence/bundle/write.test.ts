import assert from "node:assert/strict";
import { test } from "node:test";
import type { SerializedBundle } from "@sigstore/bundle";
import { base64, logEntry, refused } from "../../../test/support/evidence-parts.ts";
import type { Evidence } from "../model.ts";
import { readBundle } from "./read.ts";
import { bundleOf, bundleText, writeBundle } from "./write.ts";

const V03 = "application/vnd.dev.sigstore.bundle.v0.3+json";
const origin = { kind: "file", where: "f" } as const;
const leaf = Buffer.from("leaf");
const [signature, digest, payload] = [Buffer.from("signature"), Buffer.from("digest"), Buffer.from("payload")];
const BLOB: Evidence = {
  origin,
  content: { kind: "blob", signature, stated: { algorithm: "sha256", digest } },
  key: { kind: "certificate", leaf, chain: [], binding: true },
  log: [logEntry()],
  timestamps: [Buffer.from("timestamp")],
  annotations: {},
};
const DSSE: Evidence = { ...BLOB, content: { kind: "dsse", payloadType: "text/plain", payload, signature } };
const written = (evidence: Evidence) => JSON.parse(writeBundle(evidence));

test("writeBundle: read again -> the same evidence", () => {
  const keyid = { ...DSSE, content: { ...DSSE.content, keyid: "k" } } as Evidence;
  const hinted: Evidence = { ...BLOB, key: { kind: "public-key", hint: "h" } };
  for (const evidence of [BLOB, DSSE, keyid, hinted, { ...BLOB, timestamps: [] }]) {
    assert.deepEqual(readBundle(Buffer.from(writeBundle(evidence)), origin), evidence);
  }
  for (const algorithm of ["sha384", "sha512"] as const) {
    const evidence: Evidence = { ...BLOB, content: { kind: "blob", signature, stated: { algorithm, digest } } };
    assert.deepEqual(readBundle(Buffer.from(writeBundle(evidence)), origin).content, evidence.content);
  }
});

test("writeBundle: one line of JSON, with timestamps only if there are some", () => {
  const text = writeBundle(BLOB);
  assert.ok(!/[\n\r]/.test(text));
  const json = written(BLOB);
  assert.deepEqual(Object.keys(json), ["mediaType", "verificationMaterial", "messageSignature"]);
  assert.equal(json.mediaType, V03);
  const { verificationMaterial } = json;
  assert.deepEqual(verificationMaterial.timestampVerificationData, {
    rfc3161Timestamps: [{ signedTimestamp: base64("timestamp") }],
  });
  assert.ok(!("timestampVerificationData" in written({ ...BLOB, timestamps: [] }).verificationMaterial));
});

test("writeBundle: a certificate chain -> the leaf only; no key -> an empty hint", () => {
  const chained: Evidence = {
    ...BLOB,
    key: { kind: "certificate", leaf, chain: [Buffer.from("root")], binding: true },
  };
  assert.deepEqual(written(chained).verificationMaterial.certificate, { rawBytes: base64("leaf") });
  const none: Evidence = { ...BLOB, key: { kind: "none" } };
  assert.deepEqual(readBundle(Buffer.from(writeBundle(none)), origin).key, { kind: "public-key", hint: "" });
});

test("writeBundle: the first entry of a log -> its index 0 and its empty path are written", () => {
  const [entry] = written({
    ...BLOB,
    log: [
      logEntry({
        logIndex: "0",
        inclusionProof: {
          logIndex: "0",
          rootHash: Buffer.alloc(32, 1),
          treeSize: "1",
          hashes: [],
          checkpoint: { envelope: "checkpoint" },
        },
      }),
    ],
  }).verificationMaterial.tlogEntries;
  assert.equal(entry.logIndex, "0");
  assert.equal(entry.inclusionProof.logIndex, "0");
  assert.deepEqual(entry.inclusionProof.hashes, []);
  const [usual] = written(BLOB).verificationMaterial.tlogEntries;
  assert.deepEqual([usual.logIndex, usual.inclusionProof.logIndex], ["12", "3"]);
  assert.deepEqual(usual.inclusionProof.hashes, [base64(Buffer.alloc(32, 2))]);
  assert.deepEqual(usual.inclusionProof.checkpoint, { envelope: "checkpoint" });
  const [promised] = written({ ...BLOB, log: [logEntry({ inclusionProof: undefined as never })] }).verificationMaterial
    .tlogEntries;
  assert.ok(!("inclusionProof" in promised));
  assert.equal(promised.canonicalizedBody, base64(logEntry().canonicalizedBody));
});

test("bundleText: no log entries -> none are written", () => {
  const json = { mediaType: V03, verificationMaterial: { publicKey: { hint: "h" } } } as unknown as SerializedBundle;
  assert.equal(bundleText(json), JSON.stringify(json));
});

test("writeBundle: content that a bundle cannot contain -> an internal error", () => {
  const simple: Evidence = { ...BLOB, content: { kind: "simple-signing", payload, signature } };
  const unstated: Evidence = { ...BLOB, content: { kind: "blob", signature } };
  for (const evidence of [simple, unstated]) assert.throws(() => writeBundle(evidence), refused("internal"));
});

test("bundleOf: a key without a hint -> an empty hint", () => {
  const { content } = bundleOf({ ...BLOB, key: { kind: "none" } }).verificationMaterial;
  assert.deepEqual(content, { $case: "publicKey", publicKey: { hint: "" } });
});
