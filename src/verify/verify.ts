import type { Evidence } from "../evidence/model.ts";
import { defaultHashes } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { isWithin } from "../trust/material.ts";
import { verifyClaims, verifyStatedDigest } from "./claims.ts";
import { signedMessage, verifyEntity } from "./entity.ts";
import { entriesOfTrustedLogs, integratedTime, type KnownEntry, verifyEntry } from "./log.ts";
import {
  type Check,
  CheckFailed,
  type CheckName,
  type Policy,
  type Subject,
  type TrustMaterial,
  type Verdict,
  type VerifiedSigner,
} from "./model.ts";

/**
 * The only code in tsign that says yes. It judges one piece of evidence and returns every check with its outcome; it reads
 * nothing from outside, and never throws: what cannot be judged has failed.
 *
 * The order is that of the Sigstore client specification, "Verification": the signature and its log entries are bound to
 * one another and to a key; these give trusted times; at these the key must be the policy's, or its certificate have a path
 * to a root and be public; then what the signed document claims, and whose it is.
 */
export async function verify(
  evidence: Evidence,
  subject: Subject,
  trust: TrustMaterial,
  policy: Policy,
): Promise<Verdict> {
  const checks: Check[] = [];
  const pass = (name: CheckName, detail: string) => checks.push({ name, outcome: "passed", detail });
  const skip = (name: CheckName, detail: string) => checks.push({ name, outcome: "skipped", detail });
  try {
    const key = await claimedKey(evidence, policy);
    const message = signedMessage(evidence.content, subject);
    const hashes = policy.signer.kind === "key" ? policy.signer.hashes : defaultHashes(key);
    verifyStatedDigest(evidence.content, message);
    const entries = policy.log === "required" ? trustedEntries(evidence, trust, key) : [];
    await verifyEntity({ evidence, message, key, hashes, entries });
    if (policy.log === "required") pass("log", "included in a trusted transparency log");
    else skip("log", "the transparency log is not checked");
    pass("signature", `valid for ${describeKey(key)}`);
    const times = await trustedTimes({ evidence, entries, trust, policy });
    if (times.length > 0) pass("time", times.map((time) => time.toISOString()).join(", "));
    const signer = await verifySigner({ evidence, key, times, trust, policy, pass, skip });
    if (policy.claims === "insecureSkip") skip("claims", "the signed claims are not checked");
    else {
      const report = policy.claims.subject === "insecureSkip" ? skip : pass;
      report("claims", verifyClaims(evidence.content, subject, policy.claims));
    }
    if (policy.signer.kind === "identity" && signer.kind === "certificate") {
      const { verifyIdentity } = await import("./identity.ts");
      pass("identity", verifyIdentity(signer.leaf, policy.signer.identity));
    }
    return { ok: true, evidence, checks, signer };
  } catch (error) {
    const failed = asFailed(error);
    return { ok: false, evidence, checks: [...checks, failed], failed };
  }
}

/** Whatever a stranger wrote that makes a step of this fall over is a no for that one, and no failure of all the others. */
function asFailed(error: unknown): Check {
  if (error instanceof CheckFailed) return { name: error.check, outcome: "failed", detail: error.message };
  const reason = error instanceof Error ? error.message : String(error);
  return { name: "signature", outcome: "failed", detail: `it cannot be judged: ${reason}` };
}

/** The key that must have signed: the policy's, or the certificate's, of which nothing is believed yet. */
async function claimedKey(evidence: Evidence, policy: Policy): Promise<PublicKey> {
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

function trustedEntries(evidence: Evidence, trust: TrustMaterial, key: PublicKey): KnownEntry[] {
  const entries = entriesOfTrustedLogs(evidence, trust.logs);
  for (const each of entries) verifyEntry(each, { evidence, key });
  return entries;
}

/**
 * Every time the signature is known to have existed at: promised by the logs whose entries hold, and signed by trusted
 * timestamp authorities. A log must have been trusted at all of them.
 */
async function trustedTimes(by: {
  evidence: Evidence;
  entries: readonly KnownEntry[];
  trust: TrustMaterial;
  policy: Policy;
}): Promise<Date[]> {
  const { evidence, entries, trust, policy } = by;
  const promised = entries.flatMap(({ entry }) => integratedTime(entry) ?? []);
  const signed: Date[] = [];
  if (evidence.timestamps.length > 0) {
    const { verifyTimestamp } = await import("./timestamp.ts");
    const messages = [evidence.content.signature, ...(evidence.timestamped ? [evidence.timestamped] : [])];
    for (const response of evidence.timestamps) {
      const time = verifyTimestamp(response, messages, trust.timestampAuthorities);
      if (time) signed.push(time);
    }
  }
  if (policy.timestamp === "required" && signed.length === 0) {
    const found = evidence.timestamps.length > 0 ? "its signed timestamps are of no trusted authority" : "it has none";
    throw new CheckFailed("time", `a signed timestamp is required: ${found}`);
  }
  for (const time of signed) {
    const ended = entries.find(({ log }) => !isWithin(log.validFor, time));
    if (ended) throw new CheckFailed("log", `${ended.log.baseUrl} is not trusted for ${time.toISOString()}`);
  }
  return [...promised, ...signed];
}

/** Judges the certificate at the trusted times; without a log to give one, at the present. A bare key has none. */
async function verifySigner(by: {
  evidence: Evidence;
  key: PublicKey;
  times: readonly Date[];
  trust: TrustMaterial;
  policy: Policy;
  pass: (name: CheckName, detail: string) => void;
  skip: (name: CheckName, detail: string) => void;
}): Promise<VerifiedSigner> {
  const { evidence, key, trust, policy, pass, skip } = by;
  if (policy.signer.kind === "key" || evidence.key.kind !== "certificate") {
    pass("key", "the given public key");
    return { kind: "key", key };
  }
  const times = by.times.length === 0 && policy.log === "insecureSkip" ? [trust.now] : by.times;
  const { verifyCertificate } = await import("./certificate.ts");
  const path = verifyCertificate(evidence.key, trust, times);
  pass("key", "a certificate with a path to a trusted root");
  if (policy.sct === "insecureSkip") skip("sct", "certificate transparency is not checked");
  else {
    const { verifyScts } = await import("./sct.ts");
    pass("sct", verifyScts(path, { logs: trust.ctLogs, detached: policy.sct.detached }));
  }
  return { kind: "certificate", key, leaf: path.leaf.asn1 };
}

function describeKey({ kind }: PublicKey): string {
  switch (kind.type) {
    case "ecdsa":
      return `an ECDSA ${kind.curve} key`;
    case "rsa":
      return `an RSA ${kind.bits} key`;
    case "ed25519":
      return "an Ed25519 key";
  }
}
