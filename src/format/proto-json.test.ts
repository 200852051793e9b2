import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalBundle } from "../evidence/bundle/shape.ts";
import { type MessageShape, readProtoJson } from "./proto-json.ts";

const SHAPE: MessageShape = {
  fields: {
    logIndex: "count",
    x509CertificateChain: "text",
    inner: { protoNames: "camelCase", fields: { keyId: "text" } },
  },
};
const read = (document: object) => readProtoJson(document, SHAPE);

test("readProtoJson accepts fields in lowerCamelCase or as in the .proto file only", () => {
  const expected = { logIndex: "7", x509CertificateChain: "c", inner: { keyId: "k" } };
  assert.deepEqual(read({ log_index: 7, x509_certificate_chain: "c", inner: { keyId: "k" } }), expected);
  assert.deepEqual(read({ logIndex: "7", x509CertificateChain: "c", inner: { keyId: "k" } }), expected);
  for (const key of [
    "x509Certificate_chain",
    "x509_certificateChain",
    "log__index",
    "Log_index",
    "logindex",
    "toString",
  ])
    assert.throws(() => read({ [key]: "7" }), new RegExp(`unknown field ${key}`));
  assert.throws(() => read({ inner: { key_id: "k" } }), /unknown field inner\.key_id/);
  assert.throws(() => read({ log_index: 7, logIndex: 7 }), /duplicate field logIndex/);
});

test("canonicalBundle accepts payloadType as in envelope.proto only", () => {
  const signatures = [{ sig: "AA==" }];
  assert.ok(canonicalBundle({ dsse_envelope: { payload: "AA==", payloadType: "t", signatures } }));
  assert.throws(() => canonicalBundle({ dsse_envelope: { payload: "AA==", payload_type: "t", signatures } }), {
    code: "bad-bundle",
    message: "invalid bundle: unknown field dsse_envelope.payload_type",
  });
});
