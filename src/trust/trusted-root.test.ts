import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { faultOf } from "../format/key-fault.ts";
import { octetString, oid, sequence, setOf, utf8String } from "../sandbox/pki/der.ts";
import { extension, signCertificate, tbsCertificate } from "../sandbox/pki/x509.ts";
import { logIdOf, readTrustedRoot } from "./trusted-root.ts";
import { certificateAuthority, logInstance } from "./write-trusted-root.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";
const derOf = (name: string) =>
  new X509Certificate(readFileSync(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url))).raw;
const [LEAF, INTERMEDIATE, ROOT] = ["leaf", "intermediate", "root"].map(derOf) as [Buffer, Buffer, Buffer];
const START = "2026-01-01T00:00:00Z";
const END = "2027-01-01T00:00:00Z";
const EC = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const spki = (key: KeyObject) => key.export({ type: "spki", format: "der" });
const chainOf = (...chain: Uint8Array[]) => ({ certificates: chain.map((der) => ({ rawBytes: b64(der) })) });

const log = (change: object = {}, key: object = {}) => ({
  baseUrl: "https://log.example",
  hashAlgorithm: "SHA2_256",
  publicKey: {
    rawBytes: b64(spki(EC)),
    keyDetails: "PKIX_ECDSA_P256_SHA_256",
    validFor: { start: START, end: END },
    ...key,
  },
  logId: { keyId: b64(Buffer.alloc(32, 1)) },
  ...change,
});
const authority = (...chain: Uint8Array[]) => ({ certChain: chainOf(...chain), validFor: { start: START, end: END } });
const read = (fields: object) =>
  readTrustedRoot(Buffer.from(JSON.stringify({ mediaType: MEDIA_TYPE, ...fields })), "root.json");

function refused(fields: object, reason: RegExp): void {
  assert.throws(
    () => read(fields),
    (error) => error instanceof TsignError && error.code === "untrusted" && reason.test(error.message),
    String(reason),
  );
}

test("readTrustedRoot returns logs, certificate and timestamp authorities with keys and periods", () => {
  const found = read({
    tlogs: [log()],
    ctlogs: [log({ baseUrl: undefined, checkpointKeyId: { keyId: b64(Buffer.alloc(4, 2)) } })],
    certificateAuthorities: [authority(INTERMEDIATE, ROOT), { certChain: chainOf(ROOT) }],
    timestampAuthorities: [
      authority(LEAF, INTERMEDIATE, ROOT),
      authority(LEAF),
      authority(ROOT),
      authority(INTERMEDIATE, ROOT),
    ],
  });
  const validFor = { start: new Date(START), end: new Date(END) };
  const [first] = found.logs;
  assert.deepEqual(
    [first?.baseUrl, Buffer.from(first?.id ?? []), first?.validFor],
    ["https://log.example", Buffer.alloc(32, 1), validFor],
  );
  assert.ok(first?.key.equals(EC));
  assert.deepEqual([found.ctLogs[0]?.baseUrl, Buffer.from(found.ctLogs[0]?.id ?? [])], ["", Buffer.alloc(4, 2)]);
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
  assert.deepEqual(
    plain(found.authorities),
    plain([
      { roots: [ROOT], intermediates: [INTERMEDIATE], validFor },
      { roots: [ROOT], intermediates: [], validFor: { start: new Date(0), end: undefined } },
    ]),
  );
  assert.deepEqual(
    plain(found.timestampAuthorities),
    plain([
      { leaf: LEAF, roots: [ROOT], intermediates: [INTERMEDIATE], validFor },
      { leaf: LEAF, roots: [LEAF], intermediates: [], validFor },
      { leaf: undefined, roots: [ROOT], intermediates: [], validFor },
      { leaf: undefined, roots: [ROOT], intermediates: [INTERMEDIATE], validFor },
    ]),
  );
  assert.deepEqual(read({}), { logs: [], ctLogs: [], authorities: [], timestampAuthorities: [] });
});

test("readTrustedRoot: log keys of every supported type, which must match the stated type", () => {
  const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength }).publicKey;
  const [p384, p521, ed25519, rsa2048] = [
    generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey,
    generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey,
    generateKeyPairSync("ed25519").publicKey,
    rsa(2048),
  ];
  const pkcs1 = rsa2048.export({ type: "pkcs1", format: "der" });
  const keys: [Uint8Array, string][] = [
    [spki(EC), "PKIX_ECDSA_P256_SHA_256"],
    [spki(p384), "PKIX_ECDSA_P384_SHA_384"],
    [spki(p521), "PKIX_ECDSA_P521_SHA_512"],
    [spki(ed25519), "PKIX_ED25519"],
    [spki(ed25519), "PKIX_ED25519_PH"],
    [spki(rsa2048), "PKIX_RSA_PKCS1V5"],
    [pkcs1, "PKCS1_RSA_PKCS1V5"],
    [spki(rsa2048), "PKIX_RSA_PKCS1V15_2048_SHA256"],
  ];
  const one = (der: Uint8Array, keyDetails: string) => ({ tlogs: [log({}, { rawBytes: b64(der), keyDetails })] });
  for (const [der, details] of keys) {
    assert.equal(read(one(der, details)).logs.length, 1, details);
    refused(
      one(Buffer.concat([der, Buffer.alloc(1)]), details),
      /trailing data after the public key|malformed public key/,
    );
  }
  refused(one(spki(EC), "PKIX_ECDSA_P384_SHA_384"), /is not of type PKIX_ECDSA_P384/);
  refused(one(spki(ed25519), "PKIX_ECDSA_P256_SHA_256"), /is not of type/);
  for (const bits of [3072, 4096]) refused(one(spki(rsa2048), `PKIX_RSA_PKCS1V15_${bits}_SHA256`), /is not of type/);
  refused(one(spki(rsa2048), "PKIX_RSA_PSS"), /unsupported log key type PKIX_RSA_PSS/);
  refused({ tlogs: [log({}, { keyDetails: undefined })] }, /unsupported log key type unknown/);
  refused(one(spki(rsa(1024)), "PKIX_RSA_PKCS1V5"), /cannot be used/);
  refused(one(pkcs1, "PKIX_RSA_PKCS1V5"), /malformed public key/);
});

/** A public RSA key without known primes, because creating a large key pair takes a second. */
function rsaKey(bits: number): KeyObject {
  for (let modulus = 2n ** BigInt(bits) - 1n; ; modulus -= 2n) {
    const n = Buffer.from(modulus.toString(16), "hex").toString("base64url");
    const key = createPublicKey({ key: { kty: "RSA", n, e: "AQAB" }, format: "jwk" });
    if (faultOf(key) === undefined) return key;
  }
}

test("readTrustedRoot: RSA key of another size than stated -> refused", () => {
  const sizes = [2048, 3072, 4096];
  const keys = new Map(sizes.map((bits) => [bits, rsaKey(bits)]));
  for (const [bits, key] of keys) {
    const pem = String(key.export({ type: "spki", format: "pem" }));
    const written = logInstance({ url: "", pem, validFor: { start: START }, origin: undefined });
    for (const said of sizes) {
      const keyDetails = `PKIX_RSA_PKCS1V15_${said}_SHA256`;
      const root = { tlogs: [log({}, { rawBytes: b64(spki(key)), keyDetails })] };
      if (said !== bits) refused(root, new RegExp(`tlogs\\[0\\]: public key is not of type ${keyDetails}`));
      else {
        assert.ok(read(root).logs[0]?.key.equals(key));
        assert.deepEqual((written["publicKey"] as Record<string, unknown>)["keyDetails"], keyDetails);
      }
    }
  }
});

test("readTrustedRoot: the key type may be a protobuf enum number", () => {
  const names = [
    ...["PUBLIC_KEY_DETAILS_UNSPECIFIED", "PKCS1_RSA_PKCS1V5", "PKCS1_RSA_PSS", "PKIX_RSA_PKCS1V5", "PKIX_RSA_PSS"],
    ...["PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P256_HMAC_SHA_256", "PKIX_ED25519", "PKIX_ED25519_PH"],
    ...["PKIX_RSA_PKCS1V15_2048_SHA256", "PKIX_RSA_PKCS1V15_3072_SHA256", "PKIX_RSA_PKCS1V15_4096_SHA256"],
    ...["PKIX_ECDSA_P384_SHA_384", "PKIX_ECDSA_P521_SHA_512", "LMS_SHA256", "LMOTS_SHA256"],
    ...["PKIX_RSA_PSS_2048_SHA256", "PKIX_RSA_PSS_3072_SHA256", "PKIX_RSA_PSS_4096_SHA256"],
    ...["PKIX_ECDSA_P384_SHA_256", "PKIX_ECDSA_P521_SHA_256", "ML_DSA_65", "ML_DSA_87", "ML_DSA_44"],
  ];
  const rawBytes = b64(spki(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey)); // of none of them
  for (const [number, name] of names.entries()) {
    for (const keyDetails of [number, name])
      refused({ tlogs: [log({}, { rawBytes, keyDetails })] }, new RegExp(`${name}\\b`));
  }
  refused({ tlogs: [log({}, { keyDetails: names.length })] }, /is not a valid value/);
});

test("readTrustedRoot accepts operators", () => {
  const operator = { operator: "example.com" };
  const named = { ...authority(ROOT), uri: "https://ca.example", ...operator };
  const subject = { subject: { organization: "example", commonName: "root" } };
  const found = read({ tlogs: [log(operator)], certificateAuthorities: [{ ...named, ...subject }] });
  assert.deepEqual([found.logs.length, found.authorities.length], [1, 1]);
  refused({ tlogs: [log({ operator: 1 })] }, /operator is not a string/);
  refused({ certificateAuthorities: [{ ...named, operator: 1 }] }, /operator is not a string/);
});

test("readTrustedRoot: missing or invalid field -> error naming the field", () => {
  assert.throws(() => readTrustedRoot(Buffer.from("{"), "r.json"), {
    code: "untrusted",
    message: "r.json is not a valid trusted root: not valid JSON",
  });
  assert.throws(
    () => readTrustedRoot(Buffer.from("\ufeff{}"), "r.json"),
    (error) => error instanceof TsignError && /byte order mark/.test(error.hint ?? ""),
    "the reader's hint",
  );
  refused({ mediaType: `${MEDIA_TYPE}x` }, /root\.json is not a valid trusted root: expected mediaType/);
  refused({ unknown: [] }, /unknown/);
  refused({ tlogs: [log(), log({ publicKey: undefined })] }, /tlogs\[1\]: missing publicKey/);
  refused({ tlogs: [log({ hashAlgorithm: "SHA2_512" })] }, /hashAlgorithm is not SHA2_256/);
  refused({ tlogs: [log({ logId: undefined })] }, /missing log ID/);
  refused({ tlogs: [log({ logId: { keyId: "" } })] }, /missing log ID/);
  refused({ ctlogs: [log({}, { rawBytes: undefined })] }, /ctlogs\[0\]: missing public key/);
  refused({ tlogs: [log({}, { validFor: undefined })] }, /missing validFor/);
  refused({ tlogs: [log({}, { validFor: { end: END } })] }, /missing validFor.start/);
  refused({ certificateAuthorities: [{ validFor: { start: START } }] }, /missing certificates/);
  refused({ certificateAuthorities: [authority()] }, /missing certificates/);
  refused({ certificateAuthorities: [{ certChain: {} }] }, /missing certificates/);
  refused({ timestampAuthorities: [{}] }, /missing certificates/);
  refused({ certificateAuthorities: [{ certChain: { certificates: [{ rawBytes: "?" }] } }] }, /is not base64/);
  refused({ certificateAuthorities: [{ certChain: { certificates: [{}] } }] }, /missing certificate/);
  refused(
    { certificateAuthorities: [authority(Buffer.concat([ROOT, Buffer.alloc(1)]))] },
    /certificateAuthorities\[0\]: /,
  );
  refused({ timestampAuthorities: [authority(Buffer.from("no certificate"))] }, /timestampAuthorities\[0\]: /);
});

test("readTrustedRoot: more than 1000 keys and certificates -> refused", () => {
  const half = Array.from({ length: 2 }, () => authority(...Array.from({ length: 249 }, () => ROOT)));
  const fields = {
    certificateAuthorities: half,
    timestampAuthorities: half,
    tlogs: [log(), log()],
    ctlogs: [log(), log()],
  };
  assert.equal(read(fields).logs.length, 2);
  refused({ ...fields, tlogs: [...fields.tlogs, log()] }, /more than 1000 keys and certificates/);
  refused({ ...fields, ctlogs: [...fields.ctlogs, log()] }, /more than 1000/);
  refused({ ...fields, certificateAuthorities: [...half, authority(ROOT)] }, /more than 1000/);
  refused({ ...fields, timestampAuthorities: [...half, authority(ROOT)] }, /more than 1000/);
  for (const none of [{}, { certChain: {} }]) {
    refused({ ...fields, certificateAuthorities: [...half, none] }, /missing certificates/);
  }
});

test("logInstance writes ECDSA and Ed25519 keys", () => {
  const pem = (key: KeyObject) => String(key.export({ type: "spki", format: "pem" }));
  const validFor = { start: START, end: END };
  const keys: [key: KeyObject, keyDetails: string][] = [
    [EC, "PKIX_ECDSA_P256_SHA_256"],
    [generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey, "PKIX_ECDSA_P384_SHA_384"],
    [generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey, "PKIX_ECDSA_P521_SHA_512"],
    [generateKeyPairSync("ed25519").publicKey, "PKIX_ED25519"],
  ];
  for (const [key, keyDetails] of keys) {
    const written = (url: string) => logInstance({ url, pem: pem(key), validFor, origin: undefined });
    const fields = {
      hashAlgorithm: "SHA2_256",
      publicKey: { rawBytes: b64(spki(key)), keyDetails, validFor },
      logId: { keyId: b64(logIdOf(key)) },
    };
    assert.deepStrictEqual(written("https://log.example"), { baseUrl: "https://log.example", ...fields });
    assert.deepStrictEqual(written(""), fields);
  }
});

test("certificateAuthority writes a chain", () => {
  const validFor = { start: START };
  const fields = {
    certChain: chainOf(INTERMEDIATE, ROOT),
    validFor,
  };
  const written = (url: string) => certificateAuthority({ url, chain: [INTERMEDIATE, ROOT], validFor });
  const subject = written("")["subject"];
  assert.deepStrictEqual(written("https://ca.example"), { ...fields, subject, uri: "https://ca.example" });
  assert.deepStrictEqual(written(""), { ...fields, subject });
});

test("logInstance and certificateAuthority: readTrustedRoot parses their output", () => {
  const ed25519 = generateKeyPairSync("ed25519").publicKey;
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
  const pem = (key: KeyObject) => String(key.export({ type: "spki", format: "pem" }));
  const written = (key: KeyObject, origin?: string) =>
    logInstance({ url: "https://log.example", pem: pem(key), validFor: { start: START }, origin });
  for (const [key, details] of [
    [EC, "PKIX_ECDSA_P256_SHA_256"],
    [generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey, "PKIX_ECDSA_P384_SHA_384"],
    [generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey, "PKIX_ECDSA_P521_SHA_512"],
    [ed25519, "PKIX_ED25519"],
    [rsa, "PKIX_RSA_PKCS1V15_2048_SHA256"],
  ] as const) {
    const instance = written(key) as { publicKey: { keyDetails: string } };
    assert.equal(instance.publicKey.keyDetails, details);
    const [found] = read({ tlogs: [instance] }).logs;
    assert.ok(found?.key.equals(key));
    assert.deepEqual(
      [found?.baseUrl, Buffer.from(found?.id ?? [])],
      ["https://log.example", Buffer.from(logIdOf(key))],
    );
  }
  const idOf = (key: KeyObject) => Buffer.from(read({ tlogs: [written(key, "log.example")] }).logs[0]?.id ?? []);
  const sha256 = (...parts: (string | Uint8Array)[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  assert.deepEqual(idOf(EC), sha256(spki(EC)));
  assert.deepEqual(idOf(ed25519), sha256("log.example\n", Buffer.from([1]), spki(ed25519).subarray(-32)));
  assert.deepEqual(idOf(rsa), sha256("log.example\n", Buffer.from([0xff]), "PKIX-RSA-PKCS#1v1.5", spki(rsa)));
  assert.equal("baseUrl" in logInstance({ url: "", pem: pem(EC), validFor: {}, origin: undefined }), false);
  const odd = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey;
  assert.throws(() => written(odd), { code: "input", message: /unsupported log key type ec|cannot be used/ });
  const large = generateKeyPairSync("rsa", { modulusLength: 2560 }).publicKey;
  assert.throws(() => written(large), { code: "input", message: /unsupported log key type rsa/ });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  assert.throws(() => written(weak), { code: "input", message: /log's key cannot be used/ });

  const ca = certificateAuthority({
    url: "https://ca.example",
    chain: [INTERMEDIATE, ROOT],
    validFor: { start: START },
  });
  const { subject } = new X509Certificate(ROOT);
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(subject)?.[1];
  const named = { organization: field("O"), commonName: field("CN") };
  assert.deepEqual(ca["subject"], JSON.parse(JSON.stringify(named)));
  assert.equal(ca["uri"], "https://ca.example");
  assert.deepEqual(ca["validFor"], { start: START });
  assert.equal(read({ certificateAuthorities: [ca] }).authorities[0]?.intermediates.length, 1);
  assert.equal("uri" in certificateAuthority({ url: "", chain: [ROOT], validFor: {} }), false);
  assert.throws(() => certificateAuthority({ url: "", chain: [], validFor: {} }), { code: "internal" });
  assert.throws(() => certificateAuthority({ url: "", chain: [Buffer.from("x"), ROOT], validFor: {} }), TsignError);
});

test("certificateAuthority writes the root's first organization and last common name", () => {
  const { privateKey: key, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const attribute = (type: string, value: string) => setOf(sequence(oid(type), utf8String(value)));
  const [organization, commonName] = ["2.5.4.10", "2.5.4.3"];
  const subjectOf = (...attributes: Buffer[]) => {
    const name = sequence(...attributes);
    const period = { notBefore: new Date(START), notAfter: new Date(END) };
    const made = { issuer: name, subject: name, spki: spki(publicKey), issuerKey: key, ...period };
    const tbs = tbsCertificate({
      serial: Buffer.of(1),
      extensions: [extension("2.5.29.14", octetString(Buffer.of(1)))],
      ...made,
    });
    return certificateAuthority({ url: "", chain: [signCertificate(tbs, key)], validFor: {} })["subject"];
  };
  assert.deepStrictEqual(subjectOf(attribute(organization, "one")), { organization: "one" });
  assert.deepStrictEqual(subjectOf(attribute(commonName, "one")), { commonName: "one" });
  assert.deepStrictEqual(subjectOf(attribute("2.5.4.11", "unit")), {});
  assert.deepStrictEqual(
    subjectOf(
      ...[attribute(organization, "O one"), attribute(commonName, "CN one")],
      ...[attribute(organization, "O two"), attribute(commonName, "CN two")],
    ),
    { organization: "O one", commonName: "CN two" },
  );
});
