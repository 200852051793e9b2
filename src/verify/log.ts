import { createPublicKey, X509Certificate } from "node:crypto";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { decodeBase64 } from "../format/base64.ts";
import { sameBytes } from "../format/bytes.ts";
import { hash } from "../format/digest.ts";
import { isObject, parseJson, textOf } from "../format/json.ts";
import { sameKey } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { isWithin, type Log } from "../trust/material.ts";
import { verifyCheckpoint } from "./checkpoint.ts";
import { CheckFailed } from "./model.ts";

/** An entry that a trusted log is named for, still to be verified. */
export interface KnownEntry {
  readonly entry: TransparencyLogEntry;
  readonly log: Log;
}

/**
 * The entries whose log is trusted; those of other logs say nothing either way.
 *
 * @throws CheckFailed when there is none
 */
export function entriesOfTrustedLogs(evidence: Evidence, logs: readonly Log[]): KnownEntry[] {
  if (evidence.log.length === 0) {
    throw new CheckFailed("log", "there is no transparency log entry", {
      expected: "a log entry",
      actual: "no entry",
    });
  }
  const known = evidence.log.flatMap((entry) => {
    const id = entry.logId?.keyId ?? new Uint8Array();
    const log = logs.find((each) => sameBytes(each.id, id));
    return log ? [{ entry, log }] : [];
  });
  if (known.length === 0) throw new CheckFailed("log", "its transparency log entries are of no trusted log");
  return known;
}

/**
 * What @sigstore/verify leaves open about an entry whose inclusion it checks: that the checkpoint is the log's own and
 * agrees with the proof, that the log was trusted at the time, and that the entry is about this very key.
 *
 * @throws CheckFailed
 */
export function verifyEntry({ entry, log }: KnownEntry, signed: { evidence: Evidence; key: PublicKey }): void {
  const time = integratedTime(entry);
  if (time && !isWithin(log.validFor, time)) {
    throw new CheckFailed("log", `${log.baseUrl} is not trusted for ${time.toISOString()}`);
  }
  if (!entry.inclusionPromise) requirePlausibleTime(entry, signed.evidence);
  verifyCheckpoint(entry, log);
  for (const stated of statedKeys(entry)) requireKey(stated, signed);
}

/** A time that nobody promised is not used; but an entry that states an impossible one has been tampered with. */
function requirePlausibleTime(entry: TransparencyLogEntry, { key }: Evidence): void {
  const time = statedTime(entry);
  if (!time) return;
  const { kind, version } = entry.kindVersion;
  if (version === "0.0.2" && kind !== "intoto")
    throw new CheckFailed("log", "Rekor v2 gives no time, the entry has one");
  const certificate = key.kind === "certificate" ? tryRead(() => new X509Certificate(key.leaf)) : undefined;
  if (certificate && (time < certificate.validFromDate || time > certificate.validToDate)) {
    throw new CheckFailed("log", `the certificate was not valid at ${time.toISOString()}, which the entry states`);
  }
}

/**
 * The time the log promised to have integrated the entry at. Only a signed promise (SET) makes it one: Rekor v2 gives
 * none, and a time without a promise could be anyone's.
 *
 * @throws CheckFailed for a time that no calendar has
 */
export function integratedTime(entry: TransparencyLogEntry): Date | undefined {
  return entry.inclusionPromise && statedTime(entry);
}

/** The time an entry says it was integrated at, promised or not; undefined when it says none. */
function statedTime({ integratedTime: text }: TransparencyLogEntry): Date | undefined {
  const time = new Date(Number(text) * 1000);
  if (Number.isNaN(time.getTime())) throw new CheckFailed("log", `the entry's time ${text} is none`);
  return time.getTime() > 0 ? time : undefined;
}

/**
 * Whether an entry says to be of the kind that names no signature, only the envelope it is in: `intoto` 0.0.1 of Rekor v1, by
 * cosign 1, and by cosign 2 with --rekor-entry-type intoto.
 */
export function isOfWholeEnvelope({ kindVersion }: TransparencyLogEntry): boolean {
  return kindVersion.kind === "intoto" && kindVersion.version === "0.0.1";
}

/**
 * Checks that such an entry is about the envelope that the evidence was read from, byte for byte as it was stored.
 *
 * @throws CheckFailed
 */
export function verifyWholeEnvelope(entry: TransparencyLogEntry, { content, timestamped }: Evidence): void {
  const body = parseBody(entry);
  if (body["kind"] !== "intoto" || body["apiVersion"] !== "0.0.1") {
    throw new CheckFailed("log", "the log entry is of another kind than is said of it");
  }
  const { hash: ofEnvelope, payloadHash } = fieldsOf(fieldsOf(body["spec"])["content"]);
  if (content.kind !== "dsse" || !timestamped) {
    throw new CheckFailed("log", "the log entry is about an envelope, which is not stored as it was logged");
  }
  requireSha256(ofEnvelope, timestamped);
  if (payloadHash !== undefined) requireSha256(payloadHash, content.payload); // older logs left it out
}

function requireSha256(stated: unknown, bytes: Uint8Array): void {
  const { algorithm, value } = fieldsOf(stated);
  if (algorithm === "sha256" && value === Buffer.from(hash("sha256", bytes)).toString("hex")) return;
  throw new CheckFailed("log", "the log entry is about another envelope");
}

/** PEM texts or DER bytes of the keys and certificates an entry was made with, whatever its kind. */
function statedKeys(entry: TransparencyLogEntry): Uint8Array[] {
  const body = parseBody(entry);
  const spec = fieldsOf(body["spec"]);
  switch (`${textOf(body["kind"])} ${textOf(body["apiVersion"])}`) {
    case "hashedrekord 0.0.1":
      return [keyBytesOf(fieldsOf(fieldsOf(spec["signature"])["publicKey"])["content"])];
    case "dsse 0.0.1":
      return onlyItemOf(spec["signatures"]).map((each) => keyBytesOf(fieldsOf(each)["verifier"]));
    case "intoto 0.0.1":
      return [keyBytesOf(spec["publicKey"])];
    case "intoto 0.0.2":
      return onlyItemOf(fieldsOf(fieldsOf(spec["content"])["envelope"])["signatures"]).map((each) =>
        keyBytesOf(fieldsOf(each)["publicKey"]),
      );
    case "hashedrekord 0.0.2":
      return [verifierV2(fieldsOf(fieldsOf(spec["hashedRekordV002"])["signature"])["verifier"])];
    case "dsse 0.0.2":
      return onlyItemOf(fieldsOf(spec["dsseV002"])["signatures"]).map((each) => verifierV2(fieldsOf(each)["verifier"]));
    default:
      throw new CheckFailed(
        "log",
        `entries of kind ${textOf(body["kind"])} ${textOf(body["apiVersion"])} are not known`,
      );
  }
}

function verifierV2(json: unknown): Uint8Array {
  const { publicKey, x509Certificate } = fieldsOf(json);
  return keyBytesOf(fieldsOf(x509Certificate ?? publicKey)["rawBytes"]);
}

function parseBody(entry: TransparencyLogEntry): Record<string, unknown> {
  try {
    return fieldsOf(parseJson(entry.canonicalizedBody, "the log entry"));
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    throw new CheckFailed("log", error.message);
  }
}

/** @param stated PEM or DER, of a certificate or a public key */
function requireKey(stated: Uint8Array, { evidence, key }: { evidence: Evidence; key: PublicKey }): void {
  const isPem = stated[0] !== 0x30;
  const text = isPem ? Buffer.from(stated).toString("latin1") : "";
  const certificate = tryRead(() => new X509Certificate(isPem ? text : stated));
  if (certificate) {
    const same =
      evidence.key.kind === "certificate"
        ? sameBytes(certificate.raw, evidence.key.leaf)
        : sameKey(certificate.publicKey, key.object);
    if (!same) throw new CheckFailed("log", "the log entry is about another certificate");
    return;
  }
  const logged = tryRead(() =>
    createPublicKey(isPem ? text : { key: Buffer.from(stated), format: "der", type: "spki" }),
  );
  if (!logged || !sameKey(logged, key.object)) {
    throw new CheckFailed("log", "the log entry is about another key", {
      expected: "the signer's key",
      actual: "another key",
    });
  }
}

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // it is something else, or nothing
  }
}

/** The members of a JSON object. */
function fieldsOf(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw new CheckFailed("log", "the log entry lacks what its kind demands");
  return value;
}

/** The one item of a list, still in it. */
function onlyItemOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== 1) throw new CheckFailed("log", "the log entry has not one signature");
  return value;
}

/** The bytes of a key or certificate, which are there in base64. */
function keyBytesOf(value: unknown): Uint8Array {
  const decoded = typeof value === "string" ? decodeBase64(value) : undefined;
  if (!decoded || decoded.length === 0) throw new CheckFailed("log", "the log entry names no key");
  return decoded;
}
