import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { test } from "node:test";
import { explicit, integer, NULL, octetString, oid, sequence, setOf, tlv } from "../sandbox/pki/der.ts";
import {
  type Authority,
  createAuthority,
  distinguishedName,
  EKU_TIME_STAMPING,
  serialNumber,
  signCertificate,
  tbsCertificate,
  usualExtensions,
} from "../sandbox/pki/x509.ts";
import { ALWAYS, type TimestampAuthority } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";
import { verifyTimestamp } from "./timestamp.ts";
import { readToken } from "./timestamp-token.ts";

const SIGNATURE = Buffer.from("a signature");
const TIME = "20260102030405Z";
const START = new Date("2026-01-01T00:00:00Z");
const HASHES = {
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
} as const;
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const ATTRIBUTE = {
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.12",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
} as const;
const SHA512_RSA = "1.2.840.113549.1.1.13";
const ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const ED25519 = "1.3.101.112";

type Hash = keyof typeof HASHES;
const digest = (hash: string, bytes: Uint8Array) => createHash(hash).update(bytes).digest();
const spkiOf = (key: KeyObject) => key.export({ type: "spki", format: "der" });
const PAIRS = {
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ed25519: generateKeyPairSync("ed25519"),
};
const ROOT_PAIR = generateKeyPairSync("ec", { namedCurve: "P-256" });

function authorityOf(
  commonName: string,
  issuer?: Authority,
  pair = generateKeyPairSync("ec", { namedCurve: "P-256" }),
) {
  const options = {
    commonName,
    key: pair.privateKey,
    spki: spkiOf(pair.publicKey),
    notBefore: START,
    random: randomBytes,
  };
  return createAuthority({
    ...options,
    pathLength: 2,
    extendedKeyUsage: EKU_TIME_STAMPING,
    ...(issuer ? { issuer } : {}),
  });
}

const ROOT = authorityOf("root", undefined, ROOT_PAIR);

/** A timestamp signer's certificate from an issuer. */
function certificateOf(key: KeyObject, issuer: Authority = ROOT): { der: Buffer; serial: Buffer; issuer: Authority } {
  const serial = serialNumber(randomBytes);
  const spki = spkiOf(key);
  const tbs = tbsCertificate({
    serial,
    issuer: issuer.name,
    subject: distinguishedName("timestamps"),
    notBefore: START,
    notAfter: new Date(START.getTime() + 1e10),
    spki,
    extensions: usualExtensions({ spki, issuerSpki: issuer.spki, extendedKeyUsage: EKU_TIME_STAMPING }),
    issuerKey: issuer.key,
  });
  return { der: signCertificate(tbs, issuer.key), serial, issuer };
}

const SIGNERS = {
  ec: certificateOf(PAIRS.ec.publicKey),
  rsa: certificateOf(PAIRS.rsa.publicKey),
  ed25519: certificateOf(PAIRS.ed25519.publicKey),
};
type Signer = keyof typeof SIGNERS;

interface Parts {
  signer?: Signer;
  /** The signature algorithm that the token states, and the hash that is really used. */
  algorithm?: string;
  hash?: Hash | null;
  /** The signer's digest algorithm. */
  digestAlgorithm?: Hash;
  imprint?: Hash;
  infoVersion?: number;
  time?: string;
  /** Replacements for the values of attributes; undefined leaves one out. */
  attributes?: Record<string, Uint8Array | undefined>;
  certificates?: readonly Uint8Array[];
}

/** A signed TimeStampResp with any content. */
function made(parts: Parts = {}): Buffer {
  const { signer = "ec", algorithm = ECDSA_SHA256, hash = "sha256", digestAlgorithm = "sha256" } = parts;
  const { imprint = "sha256", infoVersion = 1, time = TIME } = parts;
  const algorithmOf = (name: Hash) => sequence(oid(HASHES[name]), NULL);
  const info = sequence(
    integer(infoVersion),
    oid("1.2.3"),
    sequence(algorithmOf(imprint), octetString(digest(imprint, SIGNATURE))),
    integer(1),
    tlv(0x18, Buffer.from(time)),
  );
  const values: Record<string, Uint8Array | undefined> = {
    [ATTRIBUTE.contentType]: oid(TST_INFO),
    [ATTRIBUTE.messageDigest]: octetString(digest(digestAlgorithm, info)),
    ...parts.attributes,
  };
  const attributes = Object.entries(values).flatMap(([type, value]) =>
    value === undefined ? [] : [sequence(oid(type), tlv(0x31, value))],
  );
  const signed = setOf(...attributes);
  const { serial, issuer } = SIGNERS[signer];
  const signerInfo = sequence(
    integer(1),
    sequence(issuer.name, integer(serial)),
    algorithmOf(digestAlgorithm),
    explicit(0, ...attributes.toSorted(Buffer.compare)),
    sequence(oid(algorithm)),
    octetString(sign(hash, signed, PAIRS[signer].privateKey)),
  );
  const signedData = sequence(
    integer(3),
    setOf(algorithmOf(digestAlgorithm)),
    sequence(oid(TST_INFO), explicit(0, octetString(info))),
    ...(parts.certificates ? [explicit(0, ...parts.certificates)] : []),
    setOf(signerInfo),
  );
  return sequence(sequence(integer(0)), sequence(oid("1.2.840.113549.1.7.2"), explicit(0, signedData)));
}

const trusting = (more: Partial<TimestampAuthority> = {}): TimestampAuthority => ({
  leaf: SIGNERS.ec.der,
  roots: [ROOT.certificate],
  intermediates: [],
  validFor: ALWAYS,
  ...more,
});

function accepted(parts: Parts, more: Partial<TimestampAuthority> = {}): void {
  const authority = trusting({ leaf: SIGNERS[parts.signer ?? "ec"].der, ...more });
  const held = verifyTimestamp(made(parts), [SIGNATURE], [authority]);
  assert.deepEqual(held, { time: new Date("2026-01-02T03:04:05Z"), authority });
}

function refused(parts: Parts, reason: RegExp, more: Partial<TimestampAuthority> = {}): void {
  const authority = trusting({ leaf: SIGNERS[parts.signer ?? "ec"].der, ...more });
  const isIt = (error: unknown) => error instanceof CheckFailed && error.check === "time" && reason.test(error.message);
  assert.throws(() => verifyTimestamp(made(parts), [SIGNATURE], [authority]), isIt, String(reason));
}

test("verifyTimestamp: tokens signed by ECDSA or RSA with SHA-256, 384 or 512, or by Ed25519 -> accepted", () => {
  for (const [last, hash] of [
    [2, "sha256"],
    [3, "sha384"],
    [4, "sha512"],
  ] as const) {
    accepted({ algorithm: `1.2.840.10045.4.3.${last}`, hash, imprint: hash, digestAlgorithm: hash });
  }
  for (const [last, hash] of [
    [11, "sha256"],
    [12, "sha384"],
    [13, "sha512"],
  ] as const) {
    accepted({ signer: "rsa", algorithm: `1.2.840.113549.1.1.${last}`, hash });
    // rsaEncryption leaves the hash to the digest algorithm (RFC 8933 section 3)
    accepted({ signer: "rsa", algorithm: "1.2.840.113549.1.1.1", hash, digestAlgorithm: hash });
  }
  accepted({ signer: "ed25519", algorithm: ED25519, hash: null, digestAlgorithm: "sha512" });
});

test("verifyTimestamp: a signature by another hash, algorithm or kind of key than the token states -> refused", () => {
  for (const parts of [
    { algorithm: ECDSA_SHA256, hash: "sha384" },
    { algorithm: "1.2.840.10045.4.3.3", hash: "sha256" },
    { algorithm: "1.2.840.10045.4.1", hash: "sha256" }, // ecdsa-with-SHA1
    { algorithm: "1.2.840.113549.1.1.5", hash: "sha256", signer: "rsa" }, // sha1WithRSAEncryption
    { algorithm: "1.2.840.113549.1.1.1", hash: "sha256", signer: "rsa", digestAlgorithm: "sha384" },
    { algorithm: SHA512_RSA, hash: "sha256", signer: "rsa" },
    { algorithm: ECDSA_SHA256, hash: null, signer: "ed25519" },
    { algorithm: "1.2.840.113549.1.1.10", hash: "sha256", signer: "rsa" }, // RSASSA-PSS, whose parameters are not read
  ] satisfies Parts[]) {
    refused(parts, /invalid signature of the authority/);
  }
});

test("verifyTimestamp: signed attributes for other content, or for another certificate than the signer's -> refused", () => {
  const { der } = SIGNERS.ec;
  const other = SIGNERS.rsa.der;
  const v2 = (...id: Uint8Array[]) => ({ [ATTRIBUTE.signingCertificateV2]: sequence(sequence(sequence(...id))) });
  const v1 = (...id: Uint8Array[]) => ({ [ATTRIBUTE.signingCertificate]: sequence(sequence(sequence(...id))) });
  const hashed = (hash: string, bytes: Uint8Array) => octetString(digest(hash, bytes));
  const named = (hash: Hash) => sequence(oid(HASHES[hash]));
  const issuerSerial = sequence(sequence(), integer(1));
  for (const attributes of [
    {},
    v2(hashed("sha256", der)),
    v2(hashed("sha256", der), issuerSerial),
    v2(named("sha256"), hashed("sha256", der)),
    v2(named("sha512"), hashed("sha512", der), issuerSerial),
    v1(hashed("sha1", der)),
    v1(hashed("sha1", der), issuerSerial),
    { [ATTRIBUTE.signingCertificateV2]: sequence(), [ATTRIBUTE.signingCertificate]: sequence() },
  ]) {
    accepted({ attributes });
  }
  for (const attributes of [
    v2(hashed("sha256", other)),
    v2(hashed("sha512", der)),
    v2(named("sha512"), hashed("sha256", der)),
    v2(named("sha384"), hashed("sha384", other)),
    v2(),
    v1(hashed("sha1", other)),
    v1(hashed("sha256", der)),
    v1(),
    { ...v2(hashed("sha256", other)), ...v1(hashed("sha1", der)) },
  ]) {
    refused({ attributes }, /a different certificate|unsupported hash/);
  }
  refused({ attributes: v2(sequence(oid("1.3.14.3.2.26")), hashed("sha1", der)) }, /unsupported hash/);
  for (const algorithm of [sequence(), sequence(NULL), issuerSerial, NULL]) {
    refused({ attributes: v2(algorithm, hashed("sha256", der)) }, /malformed/);
  }
  for (const value of [undefined, octetString(digest("sha256", Buffer.from("other"))), octetString(Buffer.alloc(0))]) {
    refused({ attributes: { [ATTRIBUTE.messageDigest]: value } }, /messageDigest attribute does not match/);
  }
});

test("readToken: signed content that is not a TSTInfo, of another version or without a valid time -> refused", () => {
  refused({ infoVersion: 2 }, /unknown \w+ version/);
  for (const time of ["20269902030405Z", "20260102990405Z"]) refused({ time }, /invalid genTime|malformed/);
  const data = oid("1.2.840.113549.1.7.1");
  refused({ attributes: { [ATTRIBUTE.contentType]: data } }, /content is not a TSTInfo/);
  refused({ attributes: { [ATTRIBUTE.contentType]: undefined } }, /malformed/);
  refused({ attributes: { "1.2.3": Buffer.alloc(0) } }, /malformed/);
  const bytes = made();
  const spare = Buffer.concat([Buffer.from([0x30, 0x83, 0]), bytes.subarray(2)]);
  assert.equal(bytes[1], 0x82);
  assert.throws(() => readToken(spare), /malformed/, "a length that is not the shortest");
});

test("verifyTimestamp: certificates in a token that the authority has or has issued -> accepted; any other -> refused", () => {
  const { der } = SIGNERS.ec;
  const stranger = authorityOf("stranger");
  const crossed = authorityOf("crossed", stranger);
  accepted({ certificates: [der, crossed.certificate] }, { intermediates: [crossed.certificate] });
  refused({ certificates: [der, crossed.certificate] }, /a certificate that is not from its authority/);
  const sibling = certificateOf(PAIRS.ec.publicKey);
  accepted({ certificates: [sibling.der] });
  const middle = authorityOf("middle", ROOT);
  const below = certificateOf(PAIRS.ec.publicKey, middle);
  for (const certificates of [
    [below.der, middle.certificate],
    [middle.certificate, der, below.der, ROOT.certificate],
  ]) {
    accepted({ certificates });
  }
  refused({ certificates: [below.der] }, /a certificate that is not from its authority/);
  const namesake = { ...authorityOf("root"), name: ROOT.name };
  const renamed = { ...ROOT, name: distinguishedName("someone else") };
  for (const issuer of [namesake, renamed]) {
    const forged = certificateOf(PAIRS.ec.publicKey, issuer);
    refused({ certificates: [forged.der] }, /a certificate that is not from its authority/);
    refused({ certificates: [sibling.der, forged.der] }, /a certificate that is not from its authority/);
  }
  const sixteen = Array.from({ length: 16 }, () => certificateOf(PAIRS.ec.publicKey).der);
  accepted({ certificates: sixteen });
  refused({ certificates: [...sixteen, der] }, /more than 16 certificates/);
});

test("verifyTimestamp: a malformed certificate in a token -> skipped when searching for the signer", () => {
  const { der, serial } = SIGNERS.ec;
  const unnamed = trusting({ leaf: undefined });
  accepted({ certificates: [ROOT.certificate, der] }, { leaf: undefined });
  refused({ certificates: [sequence(), der] }, /invalid signed timestamp: .*certificate/, { leaf: undefined });
  const lookalike = sequence(sequence(integer(serial), NULL, ROOT.name));
  for (const certificates of [[sequence()], [lookalike], [SIGNERS.rsa.der], [sequence(sequence(integer(serial)))]]) {
    assert.equal(verifyTimestamp(made({ certificates }), [SIGNATURE], [unnamed]), undefined);
  }
  // the same serial number of another issuer, and another number of the same issuer
  const stranger = authorityOf("stranger");
  const tbs = tbsCertificate({
    serial,
    issuer: stranger.name,
    subject: distinguishedName("timestamps"),
    notBefore: START,
    notAfter: new Date(START.getTime() + 1e10),
    spki: spkiOf(PAIRS.ec.publicKey),
    extensions: [],
    issuerKey: stranger.key,
  });
  const others = [signCertificate(tbs, stranger.key), certificateOf(PAIRS.ec.publicKey).der];
  for (const leaf of others) assert.equal(verifyTimestamp(made(), [SIGNATURE], [trusting({ leaf })]), undefined);
});

test("verifyTimestamp: a defect of tsign -> thrown, not a failed check", () => {
  const broken = Object.defineProperty({ ...trusting() }, "validFor", {
    get: () => {
      throw new TypeError("a defect");
    },
  });
  assert.throws(() => verifyTimestamp(made(), [SIGNATURE], [broken]), TypeError);
});
