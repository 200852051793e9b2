import assert from "node:assert/strict";
import { test } from "node:test";
import { badBundle, base64, jsonBytes, refused } from "../../../test/support/evidence-parts.ts";
import type { Origin } from "../model.ts";
import { looksLikeBundle, readBundle, readBundleContent } from "./read.ts";

const V03 = "application/vnd.dev.sigstore.bundle.v0.3+json";
const old = (version: string) => `application/vnd.dev.sigstore.bundle+json;version=${version}`;
const origin: Origin = { kind: "file", where: "f" };
const ENTRY = {
  logIndex: "12",
  logId: { keyId: base64(Buffer.alloc(32, 7)) },
  kindVersion: { kind: "hashedrekord", version: "0.0.1" },
  integratedTime: "1700000000",
  inclusionPromise: { signedEntryTimestamp: base64("promise") },
  inclusionProof: {
    logIndex: "3",
    rootHash: base64(Buffer.alloc(32, 1)),
    treeSize: "9",
    hashes: [base64(Buffer.alloc(32, 2))],
    checkpoint: { envelope: "checkpoint" },
  },
  canonicalizedBody: base64("{}"),
};
const MESSAGE = { messageDigest: { algorithm: "SHA2_256", digest: base64("digest") }, signature: base64("signature") };
const ENVELOPE = { payload: base64("payload"), payloadType: "text/plain", signatures: [{ sig: base64("signature") }] };
const certificate = { rawBytes: base64("leaf") };
const GOOD = {
  mediaType: V03,
  verificationMaterial: { certificate, tlogEntries: [ENTRY] },
  messageSignature: MESSAGE,
};
const { messageSignature: _, ...HEAD } = GOOD;
const ATTESTED = { ...HEAD, dsseEnvelope: ENVELOPE };

const read = (value: unknown) => readBundle(jsonBytes(value), origin);

test("readBundle: a message signature -> the signature with its digest, certificate and log entry", () => {
  const evidence = read(GOOD);
  assert.deepEqual(evidence.origin, origin);
  assert.deepEqual(evidence.content, {
    kind: "blob",
    signature: Buffer.from("signature"),
    stated: { algorithm: "sha256", digest: Buffer.from("digest") },
  });
  assert.deepEqual(evidence.key, { kind: "certificate", leaf: Buffer.from("leaf"), chain: [], binding: true });
  const [entry, ...more] = evidence.log;
  assert.equal(more.length, 0);
  assert.equal(entry?.logIndex, "12");
  assert.deepEqual(entry?.inclusionPromise?.signedEntryTimestamp, Buffer.from("promise"));
  assert.deepEqual(entry?.inclusionProof?.hashes, [Buffer.alloc(32, 2)]);
  assert.deepEqual([evidence.timestamps, evidence.annotations], [[], {}]);
});

test("readBundle: an envelope -> its content with keyid, if any, and timestamps", () => {
  const rfc3161Timestamps = [{ signedTimestamp: base64("one") }, { signedTimestamp: base64("two") }];
  const material = { ...GOOD.verificationMaterial, timestampVerificationData: { rfc3161Timestamps } };
  const evidence = read({ ...ATTESTED, verificationMaterial: material });
  const content = {
    kind: "dsse",
    payloadType: "text/plain",
    payload: Buffer.from("payload"),
    signature: Buffer.from("signature"),
  };
  assert.deepEqual(evidence.content, content);
  assert.deepEqual(evidence.timestamps, [Buffer.from("one"), Buffer.from("two")]);
  const keyed = { ...ENVELOPE, signatures: [{ sig: base64("signature"), keyid: "k" }] };
  assert.deepEqual(read({ ...ATTESTED, dsseEnvelope: keyed }).content, { ...content, keyid: "k" });
});

test("readBundle: every hash algorithm and every version -> read", () => {
  for (const [name, algorithm] of [
    ["SHA2_256", "sha256"],
    ["SHA2_384", "sha384"],
    ["SHA2_512", "sha512"],
  ] as const) {
    const messageSignature = { ...MESSAGE, messageDigest: { ...MESSAGE.messageDigest, algorithm: name } };
    const { content } = read({ ...GOOD, messageSignature });
    assert.equal(content.kind === "blob" && content.stated?.algorithm, algorithm);
  }
  for (const algorithm of ["SHA3_256", "HASH_ALGORITHM_UNSPECIFIED", undefined]) {
    const messageSignature = { ...MESSAGE, messageDigest: { ...MESSAGE.messageDigest, algorithm } };
    assert.throws(() => read({ ...GOOD, messageSignature }), badBundle, algorithm);
  }
  const chain = { x509CertificateChain: { certificates: [certificate] }, tlogEntries: [ENTRY] };
  for (const mediaType of [old("0.1"), old("0.2"), old("0.3"), V03]) {
    const isOld = mediaType === old("0.1") || mediaType === old("0.2");
    const verificationMaterial = isOld ? chain : GOOD.verificationMaterial;
    assert.equal(read({ ...GOOD, mediaType, verificationMaterial }).key.kind, "certificate", mediaType);
    if (!isOld) assert.throws(() => read({ ...GOOD, mediaType, verificationMaterial: chain }), badBundle, mediaType);
  }
  for (const mediaType of [old("0.4"), `${V03};x`, `${V03} `, "", undefined, null, 5]) {
    assert.throws(() => read({ ...GOOD, mediaType }), badBundle, String(mediaType));
  }
});

test("readBundle: a certificate, a chain with the leaf first, or a hint -> the key", () => {
  const material = (key: object) => ({ ...GOOD, verificationMaterial: { ...key, tlogEntries: [ENTRY] } });
  const certificates = [certificate, { rawBytes: base64("issuer") }, { rawBytes: base64("root") }];
  assert.deepEqual(read({ ...material({ x509CertificateChain: { certificates } }), mediaType: old("0.2") }).key, {
    kind: "certificate",
    leaf: Buffer.from("leaf"),
    chain: [Buffer.from("issuer"), Buffer.from("root")],
    binding: true,
  });
  assert.deepEqual(read(material({ publicKey: { hint: "h" } })).key, { kind: "public-key", hint: "h" });
  assert.deepEqual(read(material({ publicKey: {} })).key, { kind: "public-key", hint: "" });
  assert.throws(() => read(material({ x509CertificateChain: { certificates: [] } })), badBundle);
  assert.throws(() => read(material({})), badBundle);
  assert.throws(() => read(material({ certificate, publicKey: { hint: "h" } })), badBundle);
});

test("readBundle: an invalid bundle -> refused", () => {
  const envelope = (change: object) => ({ ...ATTESTED, dsseEnvelope: { ...ENVELOPE, ...change } });
  const wrong: unknown[] = [
    null,
    [],
    "bundle",
    HEAD,
    { ...GOOD, dsseEnvelope: ENVELOPE },
    { ...GOOD, verificationMaterial: undefined },
    { ...GOOD, more: 1 },
    { ...GOOD, MediaType: "another" },
    { ...GOOD, media_type: V03 },
    { ...GOOD, messageSignature: { ...MESSAGE, signature: "***" } },
    { ...GOOD, messageSignature: { signature: MESSAGE.signature } },
    { ...GOOD, verificationMaterial: { certificate, tlogEntries: [{ ...ENTRY, logIndex: "x" }] } },
    envelope({ signatures: [] }),
    envelope({ signatures: [...ENVELOPE.signatures, ...ENVELOPE.signatures] }),
    envelope({ payload: "***" }),
    envelope({ payload: 5 }),
  ];
  for (const value of wrong) assert.throws(() => read(value), badBundle, JSON.stringify(value));
  assert.throws(() => readBundle(Buffer.from("{"), origin), refused("bad-bundle", "bundle is not valid JSON"));
  assert.throws(() => read({ ...GOOD, messageSignature: undefined }), refused("bad-bundle", "content"));
});

test("readBundle: 32 log entries and timestamps -> read; one more -> refused", () => {
  const of = (entries: number, timestamps: number) => ({
    ...GOOD,
    verificationMaterial: {
      certificate,
      tlogEntries: Array.from({ length: entries }, () => ENTRY),
      timestampVerificationData: {
        rfc3161Timestamps: Array.from({ length: timestamps }, () => ({ signedTimestamp: base64("t") })),
      },
    },
  });
  const { log, timestamps } = read(of(32, 32));
  assert.deepEqual([log.length, timestamps.length], [32, 32]);
  assert.throws(() => read(of(33, 0)), badBundle);
  assert.throws(() => read(of(1, 33)), badBundle);
});

/** A document whose number of values is checked before anything else. */
const values = (count: number) => Buffer.from(`{"mediaType":"${V03}","x":[${"0,".repeat(count - 2)}0,0]}`);

test("readBundle, looksLikeBundle: a document of more than 100,000 values -> not a bundle", () => {
  assert.throws(() => readBundle(values(100_001), origin), refused("bad-bundle", "values"));
  assert.throws(
    () => readBundle(values(100_000), origin),
    (error) => badBundle(error) && !String(error).includes("values"),
  );
  assert.equal(looksLikeBundle(values(100_000)), true);
  assert.equal(looksLikeBundle(values(100_001)), false);
});

test("readBundle: a large payload -> read like a small one, and decoded in place only if overwrite is set", () => {
  const large = Buffer.alloc(13 * 1024 * 1024, "large ");
  const spellings = [
    { ...ATTESTED, dsseEnvelope: { ...ENVELOPE, payload: base64(large) } },
    { ...HEAD, dsse_envelope: { ...ENVELOPE, payload: base64(large) } },
  ];
  for (const value of spellings) {
    const bytes = jsonBytes(value);
    const before = Buffer.from(bytes);
    const { content } = readBundle(bytes, origin);
    assert.ok(content.kind === "dsse");
    assert.equal(Buffer.compare(content.payload, large), 0);
    assert.equal(Buffer.from(content.signature).toString(), "signature");
    assert.equal(Buffer.compare(bytes, before), 0, "the document is whole");
    const { content: again } = readBundle(bytes, origin, { overwrite: true });
    assert.ok(again.kind === "dsse");
    assert.equal(Buffer.compare(again.payload, large), 0);
    assert.notEqual(Buffer.compare(bytes, before), 0);
  }
  const payload = `${base64(large.subarray(0, 4 * 1024 * 1024))}*`;
  assert.throws(() => read({ ...ATTESTED, dsseEnvelope: { ...ENVELOPE, payload } }), badBundle);
});

test("readBundle: a large message signature -> read", () => {
  const signature = Buffer.alloc(4 * 1024 * 1024, "s");
  const { content } = read({ ...GOOD, messageSignature: { ...MESSAGE, signature: base64(signature) } });
  assert.equal(content.kind, "blob");
  assert.equal(Buffer.compare(content.signature, signature), 0);
});

test("looksLikeBundle: a bundle's media type or material, in either spelling -> true; anything else -> false", () => {
  for (const value of [GOOD, { mediaType: "x" }, { media_type: 1 }, { verificationMaterial: null }]) {
    assert.equal(looksLikeBundle(jsonBytes(value)), true, JSON.stringify(value));
  }
  for (const value of [{}, [], null, "mediaType", { messageSignature: {} }, { base64Signature: "" }]) {
    assert.equal(looksLikeBundle(jsonBytes(value)), false, JSON.stringify(value));
  }
  assert.equal(looksLikeBundle(Buffer.from("{")), false);
  assert.throws(() => looksLikeBundle(null as unknown as Uint8Array), TypeError);
});

test("readBundle: an invalid bundle -> the error names the document and the invalid fields", () => {
  const said = (bytes: Uint8Array) => {
    try {
      readBundle(bytes, origin);
    } catch (error) {
      return String(error);
    }
    return "accepted";
  };
  assert.match(said(jsonBytes({ ...GOOD, mediaType: undefined })), /mediaType/);
  assert.match(said(Buffer.from(`[${"0,".repeat(100_001)}0]`)), /^TsignError: bundle /);
  assert.match(said(Buffer.from("{")), /^TsignError: bundle /);
  assert.match(said(Buffer.from(`{"a":"${"x".repeat(4 * 1024 * 1024)}`)), /^TsignError: bundle /);
  const { logId: _id, kindVersion: _kind, ...bare } = ENTRY;
  const incomplete = { ...GOOD, verificationMaterial: { certificate, tlogEntries: [bare] } };
  assert.match(said(jsonBytes(incomplete)), /logId, .*kindVersion/);
  const payload = `${base64(Buffer.alloc(4 * 1024 * 1024))}*`;
  assert.match(said(jsonBytes({ ...ATTESTED, dsseEnvelope: { ...ENVELOPE, payload } })), /payload/);
});

test("readBundleContent: an envelope without exactly one signature -> refused", () => {
  const [signature, payload] = [{ sig: Buffer.from("s"), keyid: "" }, Buffer.from("p")];
  const content = (signatures: (typeof signature)[]) =>
    readBundleContent({ $case: "dsseEnvelope", dsseEnvelope: { payload, payloadType: "t", signatures } });
  assert.equal(content([signature]).kind, "dsse");
  for (const signatures of [[], [signature, signature], [signature, signature, signature]]) {
    assert.throws(() => content(signatures), badBundle, `${signatures.length}`);
  }
});
