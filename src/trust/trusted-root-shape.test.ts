import assert from "node:assert/strict";
import { test } from "node:test";
import { readProtoJson } from "../format/proto-json.ts";
import { TRUSTED_ROOT } from "./trusted-root-shape.ts";

const PERIOD = { start: "2026-01-01T00:00:00Z", end: "2027-01-01T00:00:00Z" };
const LOG = {
  baseUrl: "https://log.example",
  hashAlgorithm: "SHA2_256",
  publicKey: { rawBytes: "AQID", keyDetails: "PKIX_ED25519", validFor: PERIOD },
  logId: { keyId: "AQ==" },
  checkpointKeyId: { keyId: "Ag==" },
  operator: "log.example",
};
const AUTHORITY = {
  subject: { organization: "example", commonName: "root" },
  uri: "https://ca.example",
  certChain: { certificates: [{ rawBytes: "AQ==" }, { rawBytes: "Ag==" }] },
  validFor: PERIOD,
  operator: "ca.example",
};
const ROOT = {
  mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  tlogs: [LOG],
  certificateAuthorities: [AUTHORITY],
  ctlogs: [LOG],
  timestampAuthorities: [AUTHORITY],
};

/** Every path to a scalar, with a copy of the document in which that scalar is changed. */
function leaves(value: unknown, change: (leaf: unknown) => unknown, path = ""): [path: string, changed: unknown][] {
  if (typeof value !== "object" || value === null) return [[path, change(value)]];
  const rebuilt = (key: string, part: unknown) =>
    Array.isArray(value)
      ? value.map((each, index) => (String(index) === key ? part : each))
      : { ...value, [key]: part };
  return Object.entries(value).flatMap(([key, each]) =>
    leaves(each, change, `${path}.${key}`).map(([at, part]): [string, unknown] => [at, rebuilt(key, part)]),
  );
}

test("TRUSTED_ROOT covers every field of a trusted root", () => {
  assert.deepEqual(readProtoJson(ROOT, TRUSTED_ROOT), ROOT);
});

test("TRUSTED_ROOT: value of the wrong type, or unknown field -> refused", () => {
  for (const [path, changed] of leaves(ROOT, () => true)) {
    assert.throws(() => readProtoJson(changed, TRUSTED_ROOT), Error, path);
  }
  const paths = leaves(ROOT, () => 0).map(([path]) => path);
  assert.equal(paths.length, 35);
  for (const field of ["tlogs", "ctlogs"]) {
    assert.throws(() => readProtoJson({ [field]: [{ ...LOG, uri: "a" }] }, TRUSTED_ROOT), /unknown field/);
  }
  for (const field of ["certificateAuthorities", "timestampAuthorities"]) {
    assert.throws(() => readProtoJson({ [field]: [{ ...AUTHORITY, baseUrl: "a" }] }, TRUSTED_ROOT), /unknown field/);
  }
});

test("TRUSTED_ROOT: the types of keys have the numbers of sigstore_common.proto", () => {
  const names = [
    ...["PUBLIC_KEY_DETAILS_UNSPECIFIED", "PKCS1_RSA_PKCS1V5", "PKCS1_RSA_PSS", "PKIX_RSA_PKCS1V5", "PKIX_RSA_PSS"],
    ...["PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P256_HMAC_SHA_256", "PKIX_ED25519", "PKIX_ED25519_PH"],
    ...["PKIX_RSA_PKCS1V15_2048_SHA256", "PKIX_RSA_PKCS1V15_3072_SHA256", "PKIX_RSA_PKCS1V15_4096_SHA256"],
    ...["PKIX_ECDSA_P384_SHA_384", "PKIX_ECDSA_P521_SHA_512", "LMS_SHA256", "LMOTS_SHA256"],
    ...["PKIX_RSA_PSS_2048_SHA256", "PKIX_RSA_PSS_3072_SHA256", "PKIX_RSA_PSS_4096_SHA256"],
    ...["PKIX_ECDSA_P384_SHA_256", "PKIX_ECDSA_P521_SHA_256", "ML_DSA_65", "ML_DSA_87", "ML_DSA_44"],
  ];
  const read = (keyDetails: unknown) => readProtoJson({ tlogs: [{ publicKey: { keyDetails } }] }, TRUSTED_ROOT);
  for (const [number, name] of names.entries()) {
    for (const details of [number, name]) {
      assert.deepEqual(read(details), { tlogs: [{ publicKey: { keyDetails: name } }] });
    }
  }
  assert.throws(() => read(names.length), /is not a valid value/);
  assert.throws(() => read("ML_DSA_45"), /is not a valid value/);
});
