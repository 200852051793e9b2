import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import type { Evidence } from "../evidence/model.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import { distinguishedName, serialNumber, signCertificate, tbsCertificate } from "../sandbox/pki/x509.ts";
import { ALWAYS, type Log } from "../trust/material.ts";
import { entriesOfTrustedLogs, integratedTime, isOfWholeEnvelope, verifyEntry, verifyWholeEnvelope } from "./log.ts";
import { CheckFailed } from "./model.ts";

const pemFile = (name: string) => readFileSync(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url));
const CERTIFICATE = new X509Certificate(pemFile("leaf"));
const OTHER_CERTIFICATE = new X509Certificate(pemFile("intermediate"));
const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const OTHER_KEY = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const b64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");
const derOf = (key = publicKey) => key.export({ type: "spki", format: "der" });
const pemOf = (key = publicKey) => key.export({ type: "spki", format: "pem" });
const LOG: Log = { baseUrl: "https://log.example", id: Buffer.alloc(32, 1), key: publicKey, validFor: ALWAYS };
/** Seconds within the fixture certificate's time. */
const VALID = Math.floor(CERTIFICATE.validFromDate.getTime() / 1000) + 60;

/** Entry bodies of every kind, with a key as PEM or DER. */
const BODIES: Readonly<Record<string, (pem: string, der: Uint8Array, field: string) => object>> = {
  "hashedrekord 0.0.1": (pem) => ({ signature: { publicKey: { content: b64(pem) } } }),
  "dsse 0.0.1": (pem) => ({ signatures: [{ verifier: b64(pem) }] }),
  "intoto 0.0.1": (pem) => ({ publicKey: b64(pem) }),
  "intoto 0.0.2": (pem) => ({ content: { envelope: { signatures: [{ publicKey: b64(pem) }] } } }),
  "hashedrekord 0.0.2": (_, der, field) => ({
    hashedRekordV002: { signature: { verifier: { [field]: { rawBytes: b64(der) } } } },
  }),
  "dsse 0.0.2": (_, der, field) => ({ dsseV002: { signatures: [{ verifier: { [field]: { rawBytes: b64(der) } } }] } }),
};

/** A certificate for a key, from any issuer. */
function renewed(key: KeyObject): Buffer {
  const issuer = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const tbs = tbsCertificate({
    serial: serialNumber(randomBytes),
    issuer: distinguishedName("someone"),
    subject: distinguishedName("leaf"),
    notBefore: CERTIFICATE.validFromDate,
    notAfter: CERTIFICATE.validToDate,
    spki: key.export({ type: "spki", format: "der" }),
    extensions: [],
    issuerKey: issuer,
  });
  return signCertificate(tbs, issuer);
}

function entryOf(kindVersion: string, spec: unknown, more: object = {}): TransparencyLogEntry {
  const [kind = "", version = ""] = kindVersion.split(" ");
  const body = { kind, apiVersion: version, spec };
  return {
    logIndex: "1",
    logId: { keyId: LOG.id },
    kindVersion: { kind, version },
    integratedTime: String(VALID),
    inclusionPromise: { signedEntryTimestamp: Buffer.from("set") },
    canonicalizedBody: Buffer.from(JSON.stringify(body)),
    ...more,
  } as unknown as TransparencyLogEntry;
}

const evidenceOf = (key: Evidence["key"], more: Partial<Evidence> = {}): Evidence =>
  ({
    origin: { kind: "file", where: "f" },
    content: { kind: "blob", signature: Buffer.from("s") },
    key,
    log: [],
    timestamps: [],
    annotations: {},
    ...more,
  }) as Evidence;
const BY_KEY = { evidence: evidenceOf({ kind: "none" }), key: publicKeyFromObject(publicKey) };
const BY_CERTIFICATE = {
  evidence: evidenceOf({ kind: "certificate", leaf: CERTIFICATE.raw, chain: [], binding: true }),
  key: publicKeyFromObject(CERTIFICATE.publicKey),
};

function fails(run: () => unknown, reason: RegExp, name?: string): void {
  const isIt = (error: unknown) => error instanceof CheckFailed && error.check === "log" && reason.test(error.message);
  assert.throws(run, isIt, name);
}

const judge = (entry: TransparencyLogEntry, by: typeof BY_KEY = BY_KEY, log = LOG) => verifyEntry({ entry, log }, by);

for (const [kind, spec] of Object.entries(BODIES)) {
  test(`verifyEntry: an entry of kind ${kind} names the key or the certificate that signed, and no other`, () => {
    const certificate = (of: X509Certificate) => entryOf(kind, spec(of.toString(), of.raw, "x509Certificate"));
    const key = (of = publicKey) => entryOf(kind, spec(String(pemOf(of)), derOf(of), "publicKey"));
    judge(key());
    judge(certificate(CERTIFICATE), BY_CERTIFICATE);
    fails(() => judge(key(OTHER_KEY)), /for a different key/);
    fails(() => judge(key(), BY_CERTIFICATE), /for a different key/);
    fails(() => judge(certificate(OTHER_CERTIFICATE), BY_CERTIFICATE), /for a different certificate/);
    fails(() => judge(certificate(CERTIFICATE)), /for a different certificate/);
    judge(certificate(CERTIFICATE), { ...BY_CERTIFICATE, evidence: evidenceOf({ kind: "none" }) }); // the certificate's key
    fails(() => judge(entryOf(kind, spec("", Buffer.alloc(0), "publicKey"))), /has no public key/);
    fails(() => judge(entryOf(kind, spec("nonsense", Buffer.from("nonsense"), "publicKey"))), /for a different key/);
    fails(() => judge(entryOf(kind, undefined)), /missing a required field/);
    fails(() => judge(entryOf(kind, {})), /missing a required field|expected one signature|no public key/);
  });
}

test("verifyEntry: several signatures, an unknown kind, or a body that is not JSON -> refused", () => {
  const verifier = { verifier: b64(String(pemOf())) };
  fails(
    () => judge(entryOf("dsse 0.0.1", { signatures: [verifier, verifier] })),
    /expected one signature in the log entry, found 2$/,
  );
  fails(() => judge(entryOf("dsse 0.0.1", { signatures: [] })), /expected one signature in the log entry, found 0$/);
  fails(
    () => judge(entryOf("dsse 0.0.1", { signatures: { 0: verifier, length: 1 } })),
    /expected one signature in the log entry, found none$/,
  );
  fails(() => judge(entryOf("dsse 0.0.1", { signatures: [{ verifier: 1 }] })), /has no public key/);
  fails(() => judge(entryOf("rekord 0.0.1", {})), /unknown log entry kind: rekord 0\.0\.1/);
  fails(() => judge(entryOf("dsse 0.0.1", {}, { canonicalizedBody: Buffer.from("{") })), /log entry is not valid JSON/);
  fails(() => judge(entryOf("dsse 0.0.1", {}, { canonicalizedBody: Buffer.from("[]") })), /missing a required field/);
});

test("verifyEntry: an entry with another certificate for the same key -> refused", () => {
  const other = new X509Certificate(renewed(CERTIFICATE.publicKey));
  const signer = { evidence: evidenceOf({ kind: "certificate", leaf: other.raw, chain: [], binding: true }) };
  const by = { ...signer, key: publicKeyFromObject(CERTIFICATE.publicKey) };
  const entry = (of: X509Certificate) => entryOf("dsse 0.0.1", { signatures: [{ verifier: b64(of.toString()) }] });
  judge(entry(other), by);
  fails(() => judge(entry(CERTIFICATE), by), /for a different certificate/);
});

test("verifyEntry: a defect -> thrown, not a failed check", () => {
  const canonicalizedBody = Object.defineProperty({}, "length", {
    get: () => {
      throw new TypeError("a defect");
    },
  });
  assert.throws(() => judge(entryOf("dsse 0.0.1", {}, { canonicalizedBody })), TypeError);
});

test("verifyEntry: a log that is not trusted at the time in its SET -> refused; both ends of the period count", () => {
  const at = (seconds: number) => new Date(seconds * 1000);
  const entry = entryOf("intoto 0.0.1", { publicKey: b64(String(pemOf())) });
  const within = (start: number, end: number | undefined) =>
    judge(entry, BY_KEY, { ...LOG, validFor: { start: at(start), end: end === undefined ? undefined : at(end) } });
  within(VALID, undefined);
  within(0, VALID);
  fails(() => within(VALID + 1, undefined), /is not trusted at/);
  fails(() => within(0, VALID - 1), /is not trusted at/);
});

test("verifyEntry: a time without a SET at which the certificate was not valid, or any time of Rekor v2 -> refused", () => {
  const stated = (kind: string, seconds: number, by = BY_CERTIFICATE) => {
    const spec = BODIES[kind]?.(CERTIFICATE.toString(), CERTIFICATE.raw, "x509Certificate");
    judge(entryOf(kind, spec, { inclusionPromise: undefined, integratedTime: String(seconds) }), by);
  };
  const seconds = (date: Date) => date.getTime() / 1000;
  stated("dsse 0.0.1", VALID);
  stated("dsse 0.0.1", 0);
  stated("dsse 0.0.1", seconds(CERTIFICATE.validFromDate));
  stated("dsse 0.0.1", seconds(CERTIFICATE.validToDate));
  fails(() => stated("dsse 0.0.1", seconds(CERTIFICATE.validFromDate) - 1), /was not valid at the log entry's time/);
  fails(() => stated("dsse 0.0.1", seconds(CERTIFICATE.validToDate) + 1), /was not valid at the log entry's time/);
  stated("dsse 0.0.1", 1, { ...BY_CERTIFICATE, evidence: evidenceOf({ kind: "none" }) });
  stated("dsse 0.0.2", 0);
  fails(() => stated("dsse 0.0.2", VALID), /which Rekor v2 does not set/);
  stated("intoto 0.0.2", VALID); // of Rekor v1, in spite of its version
});

test("integratedTime: without a SET -> undefined; a time out of range -> refused", () => {
  const entry = entryOf("dsse 0.0.1", {});
  assert.deepEqual(integratedTime(entry), new Date(VALID * 1000));
  assert.equal(integratedTime({ ...entry, inclusionPromise: undefined } as unknown as TransparencyLogEntry), undefined);
  assert.equal(integratedTime({ ...entry, integratedTime: "0" }), undefined);
  fails(() => integratedTime({ ...entry, integratedTime: "99999999999999" }), /invalid integrated time/);
});

test("entriesOfTrustedLogs: the entries whose log ID is trusted; none -> refused", () => {
  const known = entryOf("dsse 0.0.1", {});
  const unknown = entryOf("dsse 0.0.1", {}, { logId: { keyId: Buffer.alloc(32, 2) } });
  const nameless = entryOf("dsse 0.0.1", {}, { logId: undefined });
  const evidence = (...log: TransparencyLogEntry[]) => evidenceOf({ kind: "none" }, { log });
  assert.deepEqual(entriesOfTrustedLogs(evidence(unknown, known, nameless), [LOG]), [{ entry: known, log: LOG }]);
  fails(() => entriesOfTrustedLogs(evidence(), [LOG]), /no transparency log entry found/);
  fails(() => entriesOfTrustedLogs(evidence(unknown, nameless), [LOG]), /from a trusted/);
});

test("verifyWholeEnvelope: an entry without the SHA-256 of the stored envelope and its payload -> refused", () => {
  const sha256 = (text: string) => ({ algorithm: "sha256", value: createHash("sha256").update(text).digest("hex") });
  const content = {
    kind: "dsse",
    payloadType: "t",
    payload: Buffer.from("payload"),
    signature: Buffer.from("s"),
  } as const;
  const evidence = evidenceOf({ kind: "none" }, { content, timestamped: Buffer.from("envelope") });
  const entry = (of: object, kind = "intoto 0.0.1") => entryOf(kind, { content: of });
  assert.equal(isOfWholeEnvelope(entry({})), true);
  assert.equal(isOfWholeEnvelope(entry({}, "intoto 0.0.2")), false);
  assert.equal(isOfWholeEnvelope(entry({}, "dsse 0.0.1")), false);
  verifyWholeEnvelope(entry({ hash: sha256("envelope"), payloadHash: sha256("payload") }), evidence);
  verifyWholeEnvelope(entry({ hash: sha256("envelope") }), evidence);
  const wrong: [object, RegExp, string?, Evidence?][] = [
    [{ hash: sha256("another") }, /for a different envelope/],
    [{ hash: { ...sha256("envelope"), algorithm: "sha512" } }, /for a different envelope/],
    [{ hash: sha256("envelope"), payloadHash: sha256("another") }, /for a different envelope/],
    [{ hash: sha256("envelope"), payloadHash: null }, /missing a required field/],
    [{}, /missing a required field/],
    [{ hash: sha256("envelope") }, /log entry kind mismatch/, "intoto 0.0.2"],
    [{ hash: sha256("envelope") }, /log entry kind mismatch/, "dsse 0.0.1"],
    [
      { hash: sha256("envelope") },
      /not stored as it was logged/,
      "intoto 0.0.1",
      evidenceOf({ kind: "none" }, { content }),
    ],
    [
      { hash: sha256("envelope") },
      /not stored as it was logged/,
      "intoto 0.0.1",
      evidenceOf({ kind: "none" }, { timestamped: Buffer.from("envelope") }),
    ],
  ];
  for (const [of, reason, kind, other] of wrong) {
    fails(() => verifyWholeEnvelope(entry(of, kind), other ?? evidence), reason, JSON.stringify(of));
  }
});
