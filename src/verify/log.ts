import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { decodeBase64 } from "../format/base64.ts";
import { byContent } from "../format/by-content.ts";
import { sameBytes } from "../format/bytes.ts";
import { hash } from "../format/digest.ts";
import { isObject, parseJson, textOf } from "../format/json.ts";
import { wrapPem } from "../format/pem.ts";
import { sameKey } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { isWithin, type Log } from "../trust/material.ts";
import { verifyCheckpoint } from "./checkpoint.ts";
import { CheckFailed } from "./model.ts";

/** An entry that names a trusted log, not verified yet. */
export interface KnownEntry {
  readonly entry: TransparencyLogEntry;
  readonly log: Log;
}

/**
 * The entries from trusted logs. Entries from other logs are ignored.
 *
 * @throws CheckFailed "log" if there is none
 */
export function entriesOfTrustedLogs(evidence: Evidence, logs: readonly Log[]): KnownEntry[] {
  if (evidence.log.length === 0) {
    throw new CheckFailed("log", "no transparency log entry found", {
      expected: "a log entry",
      actual: "no entry",
    });
  }
  const known = evidence.log.flatMap((entry) => {
    const log = logOfId(entry.logId?.keyId, logs);
    return log ? [{ entry, log }] : [];
  });
  if (known.length === 0) {
    throw new CheckFailed("log", "no entry is from a trusted transparency log");
  }
  return known;
}

/** The trusted log with an ID. */
export function logOfId(id: Uint8Array | undefined, logs: readonly Log[]): Log | undefined {
  return id && logs.find((each) => sameBytes(each.id, id));
}

/**
 * Checks what @sigstore/verify does not check of a log entry: that the checkpoint is the log's and matches the inclusion proof,
 * that the log was trusted at the time, and that the entry is for this key or certificate.
 *
 * @throws CheckFailed "log"
 */
export function verifyEntry({ entry, log }: KnownEntry, signed: { evidence: Evidence; key: PublicKey }): void {
  requireTrustedLog({ entry, log });
  if (!entry.inclusionPromise) requirePlausibleTime(entry, signed.evidence);
  verifyCheckpoint(entry, log);
  for (const stated of statedKeys(entry)) requireKey(stated, signed);
}

/** Checks that the log was trusted at the time in the entry's SET, if it has one. @throws CheckFailed "log" */
export function requireTrustedLog({ entry, log }: KnownEntry): void {
  const time = integratedTime(entry);
  if (!time || isWithin(log.validFor, time)) return;
  throw new CheckFailed("log", `log ${log.baseUrl} is not trusted at ${time.toISOString()}`);
}

/** An integrated time without a SET is not used as a trusted time, but an impossible one shows that the entry was changed. */
function requirePlausibleTime(entry: TransparencyLogEntry, { key }: Evidence): void {
  const time = statedTime(entry);
  if (!time) return;
  const { kind, version } = entry.kindVersion;
  if (version === "0.0.2" && kind !== "intoto") {
    throw new CheckFailed("log", "log entry has an integrated time, which Rekor v2 does not set");
  }
  const certificate = key.kind === "certificate" ? readStated(key.leaf).certificate : undefined;
  if (certificate && (time < certificate.validFromDate || time > certificate.validToDate)) {
    throw new CheckFailed("log", `certificate was not valid at the log entry's time ${time.toISOString()}`);
  }
}

/**
 * The integrated time of an entry that has a signed entry timestamp (SET). Without a SET the time is not signed by the log and
 * could be forged; Rekor v2 signs none.
 *
 * @throws CheckFailed "log" for a time out of range
 */
export function integratedTime(entry: TransparencyLogEntry): Date | undefined {
  return entry.inclusionPromise && statedTime(entry);
}

/** The integrated time an entry states, signed or not; undefined if it is 0. */
function statedTime({ integratedTime: text }: TransparencyLogEntry): Date | undefined {
  const time = new Date(Number(text) * 1000);
  if (Number.isNaN(time.getTime())) throw new CheckFailed("log", `log entry has an invalid integrated time: ${text}`);
  return time.getTime() > 0 ? time : undefined;
}

/**
 * Whether an entry is for a whole envelope and contains no signature: `intoto` 0.0.1 in Rekor v1, made by cosign 1, and by
 * cosign 2 with --rekor-entry-type intoto.
 */
export function isOfWholeEnvelope({ kindVersion }: TransparencyLogEntry): boolean {
  return kindVersion.kind === "intoto" && kindVersion.version === "0.0.1";
}

/**
 * Checks that such an entry is for the stored envelope, byte for byte.
 *
 * @throws CheckFailed "log"
 */
export function verifyWholeEnvelope(entry: TransparencyLogEntry, { content, timestamped }: Evidence): void {
  const body = parseBody(entry);
  const kind = `${textOf(body["kind"])} ${textOf(body["apiVersion"])}`;
  if (kind !== "intoto 0.0.1") throw new CheckFailed("log", `log entry kind mismatch: got ${kind}, want intoto 0.0.1`);
  const { hash: ofEnvelope, payloadHash } = fieldsOf(fieldsOf(body["spec"])["content"]);
  if (content.kind !== "dsse" || !timestamped) {
    throw new CheckFailed("log", "log entry is for an envelope, but the envelope was not stored as it was logged");
  }
  requireSha256(ofEnvelope, timestamped);
  if (payloadHash !== undefined) requireSha256(payloadHash, content.payload); // missing in older entries
}

function requireSha256(stated: unknown, bytes: Uint8Array): void {
  const { algorithm, value } = fieldsOf(stated);
  if (algorithm === "sha256" && value === Buffer.from(hash("sha256", bytes)).toString("hex")) return;
  throw new CheckFailed("log", "log entry is for a different envelope");
}

/** The keys and certificates in an entry of any kind, as PEM or DER. @throws CheckFailed "log" for an entry without any */
export function statedKeys(entry: Pick<TransparencyLogEntry, "canonicalizedBody">): Uint8Array[] {
  return keysIn(entry, onlyItemOf);
}

/** The same for entries with any number of signatures. @throws CheckFailed "log" for an entry without any */
export function everyStatedKey(entry: Pick<TransparencyLogEntry, "canonicalizedBody">): Uint8Array[] {
  return keysIn(entry, itemsOf);
}

function keysIn(
  entry: Pick<TransparencyLogEntry, "canonicalizedBody">,
  listOf: (value: unknown) => readonly unknown[],
): Uint8Array[] {
  const body = parseBody(entry);
  const spec = fieldsOf(body["spec"]);
  switch (`${textOf(body["kind"])} ${textOf(body["apiVersion"])}`) {
    case "hashedrekord 0.0.1":
      return [keyBytesOf(fieldsOf(fieldsOf(spec["signature"])["publicKey"])["content"])];
    case "dsse 0.0.1":
      return listOf(spec["signatures"]).map((each) => keyBytesOf(fieldsOf(each)["verifier"]));
    case "intoto 0.0.1":
      return [keyBytesOf(spec["publicKey"])];
    case "intoto 0.0.2":
      return listOf(fieldsOf(fieldsOf(spec["content"])["envelope"])["signatures"]).map((each) =>
        keyBytesOf(fieldsOf(each)["publicKey"]),
      );
    case "hashedrekord 0.0.2":
      return [verifierV2(fieldsOf(fieldsOf(spec["hashedRekordV002"])["signature"])["verifier"])];
    case "dsse 0.0.2":
      return listOf(fieldsOf(spec["dsseV002"])["signatures"]).map((each) => verifierV2(fieldsOf(each)["verifier"]));
    default:
      throw new CheckFailed("log", `unknown log entry kind: ${textOf(body["kind"])} ${textOf(body["apiVersion"])}`);
  }
}

function verifierV2(json: unknown): Uint8Array {
  const { publicKey, x509Certificate } = fieldsOf(json);
  return keyBytesOf(fieldsOf(x509Certificate ?? publicKey)["rawBytes"]);
}

function parseBody(entry: Pick<TransparencyLogEntry, "canonicalizedBody">): Record<string, unknown> {
  try {
    return fieldsOf(parseJson(entry.canonicalizedBody, "log entry"));
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    throw new CheckFailed("log", error.message);
  }
}

/** @param stated PEM or DER, of a certificate or a public key */
function requireKey(stated: Uint8Array, { evidence, key }: { evidence: Evidence; key: PublicKey }): void {
  const { certificate, key: logged } = readStated(stated);
  if (certificate) {
    const same =
      evidence.key.kind === "certificate"
        ? sameBytes(certificate.raw, evidence.key.leaf)
        : sameKey(certificate.publicKey, key.object);
    if (!same) throw new CheckFailed("log", "log entry is for a different certificate");
    return;
  }
  if (!logged || !sameKey(logged, key.object)) {
    throw new CheckFailed("log", "log entry is for a different key", {
      expected: "the signer's key",
      actual: "another key",
    });
  }
}

/** Reads PEM or DER, of a certificate or otherwise of a public key; both are undefined for anything else. */
const readStated = byContent((stated): { certificate?: X509Certificate; key?: KeyObject } => {
  const isPem = stated[0] !== 0x30;
  const text = isPem ? wrapPem(Buffer.from(stated).toString("latin1")) : "";
  const certificate = tryRead(() => new X509Certificate(isPem ? text : stated));
  if (certificate) return { certificate };
  const key = tryRead(() => createPublicKey(isPem ? text : { key: Buffer.from(stated), format: "der", type: "spki" }));
  return key ? { key } : {};
});

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The members of a JSON object. */
function fieldsOf(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw new CheckFailed("log", "log entry is missing a required field");
  return value;
}

/** A list that must have exactly one item. */
function onlyItemOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length === 1) return value;
  const found = Array.isArray(value) ? value.length : "none";
  throw new CheckFailed("log", `expected one signature in the log entry, found ${found}`);
}

/** A list that must have at least one item. */
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new CheckFailed("log", "log entry has no signature");
}

/** Decodes a key or certificate from base64. */
function keyBytesOf(value: unknown): Uint8Array {
  const decoded = typeof value === "string" ? decodeBase64(value) : undefined;
  if (!decoded || decoded.length === 0) throw new CheckFailed("log", "log entry has no public key");
  return decoded;
}
