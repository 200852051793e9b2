import { createPublicKey, X509Certificate } from "node:crypto";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { decodeBase64 } from "../format/base64.ts";
import { isObject, parseJson } from "../format/json.ts";
import { sameKey } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { isWithin, type Log } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";

/** First line of a Rekor v1 checkpoint: a name and the id of the tree. */
const V1_ORIGIN = /^.* - [0-9]+$/;

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
  if (evidence.log.length === 0) throw new CheckFailed("log", "there is no transparency log entry");
  const known = evidence.log.flatMap((entry) => {
    const id = entry.logId?.keyId ?? new Uint8Array();
    const log = logs.find((each) => Buffer.compare(each.id, id) === 0);
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
export function verifyEntry({ entry, log }: KnownEntry, by: { evidence: Evidence; key: PublicKey }): void {
  const time = integratedTime(entry);
  if (time && !isWithin(log.validFor, time)) {
    throw new CheckFailed("log", `${log.baseUrl} is not trusted for ${time.toISOString()}`);
  }
  verifyCheckpoint(entry, log);
  for (const stated of statedKeys(entry)) requireKey(stated, by);
}

/**
 * The time the log promised to have integrated the entry at. Only a signed promise (SET) makes it one: Rekor v2 gives
 * none, and a time without a promise could be anyone's.
 */
export function integratedTime(entry: TransparencyLogEntry): Date | undefined {
  const seconds = Number(entry.integratedTime);
  return entry.inclusionPromise && seconds > 0 ? new Date(seconds * 1000) : undefined;
}

/** The name a checkpoint of this log must be signed with: Rekor v2's is its host name, v1's is the log's own affair. */
export function checkpointName(entry: TransparencyLogEntry, log: Log): string {
  const envelope = entry.inclusionProof?.checkpoint?.envelope ?? "";
  const [origin = ""] = envelope.split("\n", 1);
  if (!V1_ORIGIN.test(origin)) return URL.parse(log.baseUrl)?.hostname ?? "";
  return [...envelope.matchAll(/\u2014 (\S+) \S+\n/g)].map(([, name]) => name).join(" ");
}

function verifyCheckpoint(entry: TransparencyLogEntry, log: Log): void {
  const proof = entry.inclusionProof;
  if (!proof) return;
  const [origin = "", size = "", root = ""] = (proof.checkpoint?.envelope ?? "").split("\n", 3);
  if (!V1_ORIGIN.test(origin) && origin !== checkpointName(entry, log)) {
    throw new CheckFailed("log", `the checkpoint is of "${origin}", not of ${log.baseUrl}`);
  }
  // Rekor v1 counts in several trees, and its promise covers the count; v2 has one, and no promise.
  if (!V1_ORIGIN.test(origin) && entry.logIndex !== proof.logIndex) {
    throw new CheckFailed("log", `the entry has the index ${entry.logIndex}, its inclusion proof ${proof.logIndex}`);
  }
  if (!/^[0-9]+$/.test(size)) throw new CheckFailed("log", "the checkpoint has no tree size");
  const stated = decodeBase64(root);
  const otherSize = Number(proof.treeSize) > 0 && proof.treeSize !== size;
  if (otherSize || (proof.rootHash.length > 0 && (!stated || Buffer.compare(proof.rootHash, stated) !== 0))) {
    throw new CheckFailed("log", "the inclusion proof is for another tree than the checkpoint");
  }
}

/** PEM texts or DER bytes of the keys and certificates an entry was made with, whatever its kind. */
function statedKeys(entry: TransparencyLogEntry): Uint8Array[] {
  const body = parseBody(entry);
  const spec = object(body["spec"]);
  switch (`${body["kind"]} ${body["apiVersion"]}`) {
    case "hashedrekord 0.0.1":
      return [bytes(object(object(spec["signature"])["publicKey"])["content"])];
    case "dsse 0.0.1":
      return list(spec["signatures"]).map((each) => bytes(object(each)["verifier"]));
    case "intoto 0.0.1":
      return [bytes(spec["publicKey"])];
    case "intoto 0.0.2":
      return list(object(object(spec["content"])["envelope"])["signatures"]).map((each) =>
        bytes(object(each)["publicKey"]),
      );
    case "hashedrekord 0.0.2":
      return [verifierV2(object(object(spec["hashedRekordV002"])["signature"])["verifier"])];
    case "dsse 0.0.2":
      return list(object(spec["dsseV002"])["signatures"]).map((each) => verifierV2(object(each)["verifier"]));
    default:
      throw new CheckFailed("log", `entries of kind ${body["kind"]} ${body["apiVersion"]} are not known`);
  }
}

function verifierV2(json: unknown): Uint8Array {
  const { publicKey, x509Certificate } = object(json);
  return bytes(object(x509Certificate ?? publicKey)["rawBytes"]);
}

function parseBody(entry: TransparencyLogEntry): Record<string, unknown> {
  try {
    return object(parseJson(entry.canonicalizedBody, "the log entry"));
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
        ? Buffer.compare(certificate.raw, evidence.key.leaf) === 0
        : sameKey(certificate.publicKey, key.object);
    if (!same) throw new CheckFailed("log", "the log entry is about another certificate");
    return;
  }
  const object = tryRead(() =>
    createPublicKey(isPem ? text : { key: Buffer.from(stated), format: "der", type: "spki" }),
  );
  if (!object || !sameKey(object, key.object)) throw new CheckFailed("log", "the log entry is about another key");
}

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // it is something else, or nothing
  }
}

function object(value: unknown): Record<string, unknown> {
  if (!isObject(value)) throw new CheckFailed("log", "the log entry lacks what its kind demands");
  return value;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== 1) throw new CheckFailed("log", "the log entry has not one signature");
  return value;
}

function bytes(value: unknown): Uint8Array {
  const decoded = typeof value === "string" ? decodeBase64(value) : undefined;
  if (!decoded || decoded.length === 0) throw new CheckFailed("log", "the log entry names no key");
  return decoded;
}
