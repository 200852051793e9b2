import assert from "node:assert/strict";
import { test } from "node:test";
import { badBundle, base64 } from "../../../test/support/evidence-parts.ts";
import { canonicalBundle } from "./shape.ts";

const BYTES = base64("bytes");
const PROOF = {
  logIndex: "3",
  rootHash: BYTES,
  treeSize: "9",
  hashes: [BYTES],
  checkpoint: { envelope: "checkpoint" },
};
const ENTRY = {
  logIndex: "1",
  logId: { keyId: BYTES },
  kindVersion: { kind: "dsse", version: "0.0.1" },
  integratedTime: "2",
  inclusionPromise: { signedEntryTimestamp: BYTES },
  inclusionProof: PROOF,
  canonicalizedBody: BYTES,
};
const MATERIAL = {
  certificate: { rawBytes: BYTES },
  tlogEntries: [ENTRY],
  timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: BYTES }] },
};
const MESSAGE = { messageDigest: { algorithm: "SHA2_256", digest: BYTES }, signature: BYTES };
const ENVELOPE = { payload: BYTES, payloadType: "text", signatures: [{ sig: BYTES, keyid: "k" }] };
const GOOD = { mediaType: "type", verificationMaterial: MATERIAL, messageSignature: MESSAGE };

/** Copies of a document, each with one member at any depth changed. */
function* changes(
  value: unknown,
  change: (member: unknown, key: string) => Record<string, unknown>,
): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      for (const each of changes(item, change)) yield value.with(index, each);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      const { [key]: _, ...rest } = value as Record<string, unknown>;
      yield { ...rest, ...change(member, key) };
      for (const inner of changes(member, change)) yield { ...rest, [key]: inner };
    }
  }
}

const DOCUMENTS: Record<string, unknown>[] = [
  GOOD,
  { mediaType: "type", verificationMaterial: MATERIAL, dsseEnvelope: ENVELOPE },
  { ...GOOD, verificationMaterial: { publicKey: { hint: "h" } } },
  { ...GOOD, verificationMaterial: { x509CertificateChain: { certificates: [{ rawBytes: BYTES }] } } },
];

test("canonicalBundle: every known field -> unchanged", () => {
  for (const document of DOCUMENTS) assert.deepEqual(canonicalBundle(document), document);
});

test("canonicalBundle: fields in snake case, numbers as text, and nulls -> converted to one spelling", () => {
  const snake = (key: string) => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  for (const document of DOCUMENTS) {
    for (const respelt of changes(document, (member, key) => ({ [snake(key)]: member }))) {
      const text = JSON.stringify(respelt);
      if (!text.includes("payload_type")) assert.deepEqual(canonicalBundle(respelt), document, text);
      else assert.throws(() => canonicalBundle(respelt), badBundle, text); // envelope.proto has no snake case
    }
  }
  const numbers = { ...ENTRY, logIndex: 1, integratedTime: 2, inclusionProof: { ...PROOF, logIndex: 3, treeSize: 9 } };
  assert.deepEqual(canonicalBundle({ ...GOOD, verificationMaterial: { ...MATERIAL, tlogEntries: [numbers] } }), GOOD);
  const digest = { ...MESSAGE, messageDigest: { ...MESSAGE.messageDigest, algorithm: 1 } };
  assert.deepEqual(canonicalBundle({ ...GOOD, messageSignature: digest }), GOOD);
  assert.deepEqual(canonicalBundle({ ...GOOD, dsseEnvelope: null }), GOOD);
});

test("canonicalBundle: a field of another type, a duplicate or an unknown one -> refused", () => {
  const wrong: ((member: unknown, key: string) => Record<string, unknown>)[] = [
    (_, key) => ({ [key]: true }),
    (member, key) => ({ [key]: Array.isArray(member) ? {} : [member] }),
    (member, key) => ({ [key]: typeof member === "string" ? { text: member } : "text" }),
    (member, key) => ({ [key]: member, [`${key}X`]: member }),
  ];
  for (const document of DOCUMENTS) {
    for (const change of wrong) {
      for (const changed of changes(document, change)) {
        assert.throws(() => canonicalBundle(changed), badBundle, JSON.stringify(changed));
      }
    }
  }
  const twice = { ...GOOD, media_type: "type" };
  assert.throws(() => canonicalBundle(twice), badBundle);
});

test("canonicalBundle: bytes that are not base64, and counts that are not integers -> refused", () => {
  const isText = new Set(["mediaType", "hint", "kind", "version", "envelope", "payloadType", "keyid"]);
  for (const document of DOCUMENTS) {
    for (const changed of changes(document, (member, key) => ({
      [key]: typeof member === "string" && !isText.has(key) ? "***" : 5.5,
    }))) {
      assert.throws(() => canonicalBundle(changed), badBundle, JSON.stringify(changed));
    }
  }
});

test("canonicalBundle: more than one kind of content or key material -> refused", () => {
  const keys = {
    publicKey: { hint: "h" },
    x509CertificateChain: { certificates: [] },
    certificate: { rawBytes: BYTES },
  };
  const names = Object.keys(keys) as (keyof typeof keys)[];
  for (const one of names) {
    for (const other of names) {
      const two = { ...GOOD, verificationMaterial: { [one]: keys[one], [other]: keys[other] } };
      if (one === other) canonicalBundle(two);
      else assert.throws(() => canonicalBundle(two), badBundle, `${one}, ${other}`);
    }
  }
  assert.throws(() => canonicalBundle({ ...GOOD, dsseEnvelope: ENVELOPE }), badBundle);
  for (const value of [null, [], "bundle", undefined]) assert.throws(() => canonicalBundle(value), badBundle);
});

test("canonicalBundle: an invalid field -> the error names it", () => {
  assert.throws(() => canonicalBundle({ mediaType: 5 }), /mediaType/);
});
