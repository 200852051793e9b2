import assert from "node:assert/strict";
import { test } from "node:test";
import {
  badBundle,
  base64,
  certificateOf,
  jsonBytes,
  logEntry,
  refused,
} from "../../../test/support/evidence-parts.ts";
import { writePem } from "../../format/pem.ts";
import { ANNOTATION } from "../media-types.ts";
import type { Origin } from "../model.ts";
import { toLegacyLogEntry, writeLegacyTimestamp } from "./proofs.ts";
import {
  describePayload,
  readAttestationLayer,
  readCertificates,
  readSignatureLayer,
  readSimpleSigning,
} from "./read.ts";

const origin: Origin = { kind: "sig-tag", where: "tag, layer 1" };
const payload = Buffer.from("payload");
const signed = { [ANNOTATION.signature]: base64("signature") };
const [LEAF, ISSUER, ROOT] = [certificateOf(["a@example.com"]), certificateOf([]), certificateOf([])];
const pem = (der: Uint8Array) => writePem("CERTIFICATE", der);
const layer = (annotations: Record<string, string>) => readSignatureLayer({ payload, annotations, origin });

test("readSignatureLayer: a layer without other annotations -> its signature and payload only", () => {
  const annotations = { ...signed, other: "kept" };
  const evidence = layer(annotations);
  assert.deepEqual(evidence, {
    origin,
    content: { kind: "simple-signing", payload, signature: Buffer.from("signature") },
    key: { kind: "none" },
    log: [],
    timestamps: [],
    annotations,
  });
});

test("readSignatureLayer: annotations -> the certificate, chain, log entry and timestamp", () => {
  const entry = logEntry();
  const evidence = layer({
    ...signed,
    [ANNOTATION.certificate]: pem(LEAF),
    [ANNOTATION.chain]: pem(ISSUER) + pem(ROOT),
    [ANNOTATION.logEntry]: JSON.stringify(toLegacyLogEntry(entry)),
    [ANNOTATION.timestamp]: writeLegacyTimestamp(Buffer.from("timestamp")),
  });
  assert.deepEqual(evidence.key, { kind: "certificate", leaf: LEAF, chain: [ISSUER, ROOT], binding: false });
  assert.deepEqual(evidence.log, [{ ...entry, inclusionProof: undefined }]);
  assert.deepEqual(evidence.timestamps, [Buffer.from("timestamp")]);
  const alone = layer({ ...signed, [ANNOTATION.certificate]: pem(LEAF) });
  assert.deepEqual(alone.key, { kind: "certificate", leaf: LEAF, chain: [], binding: false });
  const empty = layer({
    ...signed,
    [ANNOTATION.certificate]: "",
    [ANNOTATION.logEntry]: "",
    [ANNOTATION.timestamp]: "",
  });
  assert.deepEqual([empty.key.kind, empty.log, empty.timestamps], ["none", [], []]);
});

test("readSignatureLayer: a malformed annotation -> refused", () => {
  const wrong: Record<string, string>[] = [
    {},
    { [ANNOTATION.signature]: "***" },
    { ...signed, [ANNOTATION.certificate]: "none" },
    { ...signed, [ANNOTATION.certificate]: pem(Buffer.from("no certificate")) },
    { ...signed, [ANNOTATION.certificate]: pem(LEAF), [ANNOTATION.chain]: pem(Buffer.from("no certificate")) },
    { ...signed, [ANNOTATION.logEntry]: "{" },
    { ...signed, [ANNOTATION.logEntry]: "{}" },
    { ...signed, [ANNOTATION.timestamp]: "{" },
    { ...signed, [ANNOTATION.timestamp]: "{}" },
  ];
  for (const annotations of wrong) {
    const name = Object.keys(annotations).at(-1) ?? ANNOTATION.signature;
    assert.throws(() => layer(annotations), refused("bad-bundle", name), JSON.stringify(annotations));
  }
  assert.equal(
    layer({ [ANNOTATION.signature]: "" }).content.signature.length,
    0,
    "an empty one fails where it is used",
  );
});

test("readAttestationLayer: an envelope -> its content, and the whole layer as `timestamped`", () => {
  const statement = { _type: "https://in-toto.io/Statement/v1", subject: [], predicateType: "type" };
  const envelope = jsonBytes({
    payloadType: "application/vnd.in-toto+json",
    payload: base64(jsonBytes(statement)),
    signatures: [{ sig: base64("signature"), keyid: "k" }],
  });
  const read = (annotations: Record<string, string>, bytes: Uint8Array = envelope) =>
    readAttestationLayer({ payload: bytes, annotations, origin });
  const annotations = {
    [ANNOTATION.predicateType]: "type",
    [ANNOTATION.certificate]: pem(LEAF),
    [ANNOTATION.timestamp]: writeLegacyTimestamp(Buffer.from("timestamp")),
  };
  const evidence = read(annotations);
  assert.deepEqual(evidence, {
    origin,
    content: {
      kind: "dsse",
      payloadType: "application/vnd.in-toto+json",
      payload: jsonBytes(statement),
      signature: Buffer.from("signature"),
      keyid: "k",
    },
    key: { kind: "certificate", leaf: LEAF, chain: [], binding: false },
    log: [],
    timestamps: [Buffer.from("timestamp")],
    timestamped: envelope,
    annotations,
  });
  assert.equal(read({}).key.kind, "none");
  assert.throws(() => read({ [ANNOTATION.predicateType]: "another" }), badBundle);
  assert.throws(() => read({}, Buffer.from("{}")), refused("bad-bundle", "layer is not a DSSE envelope"));
});

test("readCertificates: lines of any length", () => {
  const text = Buffer.from(LEAF).toString("base64");
  for (const length of [64, 76, 252, 253, 254, text.length]) {
    const lines = text.match(new RegExp(`.{1,${length}}`, "g")) ?? [];
    const block = ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
    assert.deepEqual(readCertificates(block, "it"), [LEAF], `${length}`);
  }
});

test("readCertificates: every block in order, with text between them and repeated blocks", () => {
  const text = `before\n${pem(LEAF)}between\n${pem(ROOT)}${pem(LEAF)}after`;
  assert.deepEqual(readCertificates(text, "it"), [LEAF, ROOT, LEAF]);
  assert.deepEqual(readCertificates("", "it"), []);
  assert.deepEqual(readCertificates(writePem("PUBLIC KEY", LEAF), "it"), []);
  const [first, , second] = readCertificates(text, "it");
  assert.equal(first, second, "a block that stands there again is not parsed again");
  assert.throws(() => readCertificates(pem(LEAF) + pem(LEAF.subarray(9)), "it"), badBundle);
});

const DIGEST = `sha256:${"0".repeat(64)}`;
const CLAIMS = {
  critical: {
    identity: { "docker-reference": "example.com/repo" },
    image: { "docker-manifest-digest": DIGEST },
    type: "cosign container image signature",
  },
  optional: { key: "value" },
};

test("readSimpleSigning: a payload -> its image, reference and type", () => {
  const read = (value: unknown) => readSimpleSigning(jsonBytes(value));
  assert.deepEqual(read(CLAIMS), {
    dockerReference: "example.com/repo",
    manifestDigest: DIGEST,
    type: "cosign container image signature",
    optional: { key: "value" },
  });
  const image = { "docker-manifest-digest": DIGEST };
  const little = { dockerReference: "", manifestDigest: DIGEST, type: "", optional: undefined };
  assert.deepEqual(read({ critical: { image } }), little);
  assert.deepEqual(read({ critical: { image, identity: null, type: null }, optional: null }), little);
  assert.deepEqual(read({ critical: { image, identity: { "docker-reference": null } } }), little);
});

const NONE: unknown[] = [
  [],
  "text",
  5,
  { ...CLAIMS, critical: "text" },
  { ...CLAIMS, critical: { ...CLAIMS.critical, identity: "text" } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, identity: { "docker-reference": 5 } } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, image: [] } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, image: { "docker-manifest-digest": 5 } } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, type: 5 } },
  { ...CLAIMS, optional: "text" },
  { ...CLAIMS, optional: [] },
  { ...CLAIMS, optional: 5 },
];
const LOOKALIKES: unknown[] = [
  { ...CLAIMS, Critical: {} },
  { ...CLAIMS, OPTIONAL: {} },
  { ...CLAIMS, critical: { ...CLAIMS.critical, Image: {} } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, Identity: {} } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, Type: "" } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, identity: { "Docker-reference": "" } } },
  { ...CLAIMS, critical: { ...CLAIMS.critical, image: { docker_manifest_digest: "" } } },
];

test("readSimpleSigning: not a simple-signing payload, or one without an image -> refused", () => {
  const without = [null, {}, { critical: null }, { critical: {} }, { critical: { image: null } }, { optional: {} }];
  for (const value of [...NONE, ...LOOKALIKES, ...without]) {
    assert.throws(() => readSimpleSigning(jsonBytes(value)), badBundle, JSON.stringify(value));
  }
  assert.throws(() => readSimpleSigning(Buffer.from("{")), refused("bad-bundle", "payload is not valid JSON"));
});

test("describePayload: missing fields -> left out; not a JSON object -> undefined", () => {
  assert.deepEqual(describePayload(jsonBytes(CLAIMS)), readSimpleSigning(jsonBytes(CLAIMS)));
  const empty = { dockerReference: "", manifestDigest: undefined, type: "", optional: undefined };
  assert.deepEqual(describePayload(jsonBytes({})), empty);
  assert.deepEqual(describePayload(jsonBytes(null)), empty);
  assert.deepEqual(describePayload(jsonBytes({ critical: { image: { "docker-manifest-digest": null } } })), empty);
  for (const value of [...NONE, ...LOOKALIKES]) {
    assert.equal(describePayload(jsonBytes(value)), undefined, JSON.stringify(value));
  }
  assert.equal(describePayload(Buffer.from("{")), undefined);
  assert.throws(() => describePayload(null as unknown as Uint8Array), TypeError);
  const number = Buffer.from('{"optional":{"n":12345678901234567890}}');
  assert.equal(JSON.stringify(describePayload(number)?.optional), '{"n":12345678901234567890}');
});
