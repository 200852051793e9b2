import type { X509Certificate } from "@sigstore/core";
import type { Evidence } from "../evidence/model.ts";
import type { PublicKey } from "../keys/types.ts";
import { isWithin } from "../trust/material.ts";
import { verifyClaims } from "./claims.ts";
import { entriesOfTrustedLogs, integratedTime, type KnownEntry, verifyEntry } from "./log.ts";
import {
  CheckFailed,
  type CheckName,
  type Policy,
  type Subject,
  type TrustMaterial,
  type VerifiedContent,
  type VerifiedEntry,
  type VerifiedSigner,
  type VerifiedTimestamp,
} from "./model.ts";

/**
 * Step "claims": what the signed document says.
 *
 * @returns what of it is about the subject
 * @throws CheckFailed
 */
export function checkClaims(step: {
  evidence: Evidence;
  subject: Subject;
  policy: Policy;
  pass: (name: CheckName, detail: string) => void;
  skip: (name: CheckName, detail: string) => void;
}): VerifiedContent {
  const { evidence, subject, policy, pass, skip } = step;
  if (policy.claims === "insecureSkip") {
    skip("claims", "the signed claims are not checked");
    return { kind: "artifact" };
  }
  const { report, content } = verifyClaims(evidence, subject, policy.claims);
  (policy.claims.subject === "insecureSkip" ? skip : pass)("claims", report);
  return content;
}

/**
 * Step "identity": whose the signature is, the key's or that of the name and issuer that the policy accepts.
 *
 * @param step.leaf the certificate, of which everything else was verified; undefined for a bare key
 * @throws CheckFailed
 */
export async function identify(step: {
  leaf: X509Certificate | undefined;
  key: PublicKey;
  policy: Policy;
  pass: (name: CheckName, detail: string) => void;
}): Promise<VerifiedSigner> {
  const { leaf, key, policy, pass } = step;
  if (policy.signer.kind === "key") return { kind: "key", key };
  if (!leaf) throw new CheckFailed("identity", "there is no certificate to identify the signer");
  const { fulcioExtensions, verifyIdentity } = await import("./identity.ts");
  const { name, issuer, report } = verifyIdentity(leaf, policy.signer.identity);
  pass("identity", report);
  return { kind: "certificate", key, name, issuer, extensions: fulcioExtensions(leaf) };
}

/** A log entry that was verified, for the verdict. */
export function describeEntry({ entry }: KnownEntry, evidence: Evidence): VerifiedEntry {
  return {
    ...entry.kindVersion,
    logIndex: entry.logIndex,
    logId: Buffer.from(entry.logId.keyId).toString("hex"),
    integratedTime: integratedTime(entry),
    fetched: evidence.logFetched === true,
    entry,
  };
}

/**
 * The key that must have signed: the policy's, or the certificate's, of which nothing is believed yet.
 *
 * @throws CheckFailed where the evidence has no such key
 */
export async function claimedKey(evidence: Evidence, policy: Policy): Promise<PublicKey> {
  if (policy.signer.kind === "key") {
    if (evidence.key.kind === "certificate" && evidence.key.binding) {
      throw new CheckFailed("key", "signed with a certificate, not with a bare key");
    }
    return policy.signer.key;
  }
  if (evidence.key.kind !== "certificate") {
    throw new CheckFailed("key", "signed with a bare key, there is no certificate to identify the signer");
  }
  const { certifiedKey } = await import("./certificate.ts"); // loaded for certificates only
  return certifiedKey(evidence.key);
}

/**
 * Step "log": the entries of trusted logs, of which all but their inclusion is checked here.
 *
 * @throws CheckFailed when there is none, or one does not hold
 */
export function trustedEntries(evidence: Evidence, trust: TrustMaterial, key: PublicKey): KnownEntry[] {
  const entries = entriesOfTrustedLogs(evidence, trust.logs);
  for (const each of entries) verifyEntry(each, { evidence, key });
  return entries;
}

/**
 * Every time the signature is known to have existed at: promised by the logs whose entries hold, and signed by trusted
 * timestamp authorities. A log must have been trusted at all of them.
 *
 * @throws CheckFailed where the policy requires a timestamp and none holds, or one does not hold in a trusted authority's name
 */
export async function trustedTimes(step: {
  evidence: Evidence;
  entries: readonly KnownEntry[];
  trust: TrustMaterial;
  policy: Policy;
}): Promise<{ times: Date[]; timestamps: VerifiedTimestamp[] }> {
  const { evidence, entries, trust, policy } = step;
  const promised = entries.flatMap(({ entry }) => integratedTime(entry) ?? []);
  const timestamps: VerifiedTimestamp[] = [];
  if (evidence.timestamps.length > 0) {
    const { verifyTimestamp } = await import("./timestamp.ts");
    const messages = [evidence.content.signature, ...(evidence.timestamped ? [evidence.timestamped] : [])];
    for (const response of evidence.timestamps) {
      const time = verifyTimestamp(response, messages, trust.timestampAuthorities);
      if (time) timestamps.push({ time, response });
    }
  }
  if (policy.timestamp === "required" && timestamps.length === 0) {
    const found = evidence.timestamps.length > 0 ? "its signed timestamps are of no trusted authority" : "it has none";
    throw new CheckFailed("time", `a signed timestamp is required: ${found}`);
  }
  for (const { time } of timestamps) {
    const ended = entries.find(({ log }) => !isWithin(log.validFor, time));
    if (ended) throw new CheckFailed("log", `${ended.log.baseUrl} is not trusted for ${time.toISOString()}`);
  }
  return { times: [...promised, ...timestamps.map(({ time }) => time)], timestamps };
}

/**
 * Judges the certificate at the trusted times; without a log to give one, at the present.
 *
 * @returns the certificate; undefined for a bare key
 */
export async function verifySigner(step: {
  evidence: Evidence;
  times: readonly Date[];
  trust: TrustMaterial;
  policy: Policy;
  pass: (name: CheckName, detail: string) => void;
  skip: (name: CheckName, detail: string) => void;
}): Promise<X509Certificate | undefined> {
  const { evidence, trust, policy, pass, skip } = step;
  if (policy.signer.kind === "key" || evidence.key.kind !== "certificate") {
    pass("key", "the given public key");
    return undefined;
  }
  const times = step.times.length === 0 && policy.log === "insecureSkip" ? [trust.now] : step.times;
  const { verifyCertificate } = await import("./certificate.ts");
  const path = verifyCertificate(evidence.key, trust, times);
  pass("key", "a certificate with a path to a trusted root");
  if (policy.sct === "insecureSkip") skip("sct", "certificate transparency is not checked");
  else {
    const { verifyScts } = await import("./sct.ts");
    pass("sct", verifyScts(path, { logs: trust.ctLogs, detached: policy.sct.detached }));
  }
  return path.leaf.asn1;
}

/** A key's kind, for the report. */
export function describeKey({ kind }: PublicKey): string {
  switch (kind.type) {
    case "ecdsa":
      return `an ECDSA ${kind.curve} key`;
    case "rsa":
      return `an RSA ${kind.bits} key`;
    case "ed25519":
      return "an Ed25519 key";
  }
}
