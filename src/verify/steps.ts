import type { Evidence } from "../evidence/model.ts";
import type { Message } from "../format/digest.ts";
import { once } from "../format/once.ts";
import type { PublicKey } from "../keys/types.ts";
import type { CertificatePath } from "../trust/certificate-path.ts";
import { isWithin, type TimestampAuthority } from "../trust/material.ts";
import { verifyClaims } from "./claims.ts";
import { refuseDuplicates, verifyBody, verifyInclusion } from "./inclusion.ts";
import { entriesOfTrustedLogs, integratedTime, type KnownEntry, verifyEntry } from "./log.ts";
import {
  CheckFailed,
  type Policy,
  passed,
  type Step,
  type Subject,
  skipped,
  type TrustMaterial,
  type VerifiedContent,
  type VerifiedEntry,
  type VerifiedSigner,
  type VerifiedTimestamp,
} from "./model.ts";

const forCertificates = once(() => import("./certified.ts"));
const forTimestamps = once(() => import("./timestamp.ts"));

/**
 * Step "log": every entry from a trusted log is included in that log and is for this key, signature and message, and there
 * are entries from as many logs as the policy requires. Entries from other logs are ignored.
 *
 * @returns the verified entries; empty if the policy skips the log
 * @throws CheckFailed "log"
 */
export function checkLog(step: {
  evidence: Evidence;
  message: Message;
  key: PublicKey;
  trust: TrustMaterial;
  policy: Policy;
}): Step<readonly KnownEntry[]> {
  const { evidence, message, key, trust, policy } = step;
  if (policy.log === "insecureSkip") {
    requireAtLeast("log", { wanted: policy.transparencyLogs ?? 0, found: 0 });
    return skipped("log", "transparency log not checked", []);
  }
  const entries = entriesOfTrustedLogs(evidence, trust.logs);
  for (const each of entries) verifyEntry(each, { evidence, key });
  for (const each of entries) {
    verifyInclusion(each);
    verifyBody(each, { evidence, message });
  }
  refuseDuplicates(entries);
  const found = new Set(entries.map(({ log }) => Buffer.from(log.id).toString("hex"))).size;
  const wanted = Math.max(1, policy.transparencyLogs ?? 1);
  requireAtLeast("log", { wanted, found });
  return passed("log", "included in a trusted transparency log", entries);
}

/** Trusted times at which the signature existed. */
export interface TrustedTimes {
  readonly times: readonly Date[];
  readonly timestamps: readonly VerifiedTimestamp[];
}

/**
 * Step "time": the integrated times signed by the logs, and timestamps from as many trusted authorities as the policy requires.
 * Every log must have been trusted at all timestamps.
 *
 * @throws CheckFailed "time" for too few authorities, or an invalid timestamp from a trusted one; "log" for an untrusted log
 */
export async function checkTimes(step: {
  evidence: Evidence;
  entries: readonly KnownEntry[];
  trust: TrustMaterial;
  policy: Policy;
}): Promise<Step<TrustedTimes>> {
  const { evidence, entries, trust, policy } = step;
  const verified = evidence.timestamps.length === 0 ? [] : await trustedTimestamps(evidence, trust);
  const required = policy.timestamp === "required";
  const wanted = required ? Math.max(1, policy.timestamps ?? 1) : (policy.timestamps ?? 0);
  if (wanted === 1 && verified.length === 0) {
    throw evidence.timestamps.length > 0
      ? new CheckFailed("time", "no signed timestamp is from a trusted authority", {
          hint: "check that --trusted-root, or --timestamp-certificate-chain, has the timestamp authority used for signing",
        })
      : new CheckFailed("time", "no signed timestamp found", {
          hint: "sign again with a timestamp authority, or leave out --use-signed-timestamps and --timestamp-certificate-chain",
        });
  }
  const found = new Set(verified.map(({ authority }) => authorityId(authority))).size;
  requireAtLeast("time", { wanted, found });
  for (const { time } of verified) {
    const untrusted = entries.find(({ log }) => !isWithin(log.validFor, time));
    if (untrusted) {
      throw new CheckFailed("log", `log ${untrusted.log.baseUrl} is not trusted at ${time.toISOString()}`);
    }
  }
  const integrated = entries.flatMap(({ entry }) => integratedTime(entry) ?? []);
  const times = [...integrated, ...verified.map(({ time }) => time)];
  const value = { times, timestamps: verified.map(({ time, response }) => ({ time, response })) };
  if (times.length === 0) return { check: undefined, value };
  return passed("time", times.map((time) => time.toISOString()).join(", "), value);
}

/** Verifies the timestamps from trusted authorities, over the signature or the stored envelope. */
async function trustedTimestamps({ content, timestamped, timestamps }: Evidence, trust: TrustMaterial) {
  const { verifyTimestamp } = await forTimestamps();
  const messages = [content.signature, ...(timestamped ? [timestamped] : [])];
  return timestamps.flatMap((response) => {
    const verified = verifyTimestamp(response, messages, trust.timestampAuthorities);
    return verified ? [{ ...verified, response }] : [];
  });
}

/** Authorities with the same roots count as one: a trusted root lists an authority once for each of its certificates. */
function authorityId({ roots }: TimestampAuthority): string {
  return roots
    .map((root) => Buffer.from(root).toString("hex"))
    .sort()
    .join();
}

/** Throws unless `found` is at least `wanted`; NaN is never satisfied. */
function requireAtLeast(check: "log" | "time", count: { wanted: number; found: number }): void {
  const { wanted, found } = count;
  if (found >= wanted) return;
  const compared = { expected: String(wanted), actual: String(found) };
  const items = check === "log" ? `entries from ${wanted} transparency logs` : `timestamps from ${wanted} authorities`;
  throw new CheckFailed(check, `expected ${items}, found ${found}`, compared);
}

/**
 * Step "key": the policy's key, or a certificate with a path to a trusted root at every trusted time. If the policy skips the
 * log and there is no trusted time, the current time is used.
 *
 * @returns the certificate's path; undefined for a bare key
 * @throws CheckFailed "key" or "time"
 */
export async function checkKey(step: {
  evidence: Evidence;
  times: readonly Date[];
  trust: TrustMaterial;
  policy: Policy;
}): Promise<Step<CertificatePath | undefined>> {
  const { evidence, trust, policy } = step;
  if (policy.signer.kind === "key" || evidence.key.kind !== "certificate") {
    return passed("key", "matches the given public key", undefined);
  }
  const times = step.times.length === 0 && policy.log === "insecureSkip" ? [trust.now] : step.times;
  const { verifyCertificate } = await forCertificates();
  const path = verifyCertificate(evidence.key, trust, times);
  return passed("key", "certificate has a path to a trusted root", path);
}

/**
 * Step "sct": the certificate has a signed certificate timestamp (RFC 6962). Skipped for a bare key.
 *
 * @throws CheckFailed "sct"
 */
export async function checkScts(step: {
  path: CertificatePath | undefined;
  trust: TrustMaterial;
  policy: Policy;
}): Promise<Step<undefined>> {
  const { path, trust, policy } = step;
  if (!path) return { check: undefined, value: undefined };
  if (policy.sct === "insecureSkip") return skipped("sct", "certificate transparency not checked", undefined);
  const { verifyScts } = await forCertificates();
  return passed("sct", verifyScts(path, { logs: trust.ctLogs, detached: policy.sct.detached }), undefined);
}

/**
 * Step "claims": the signed document satisfies the policy.
 *
 * @returns the signed content
 * @throws CheckFailed "claims"
 */
export function checkClaims(step: { evidence: Evidence; subject: Subject; policy: Policy }): Step<VerifiedContent> {
  const { evidence, subject, policy } = step;
  if (policy.claims === "insecureSkip") {
    return skipped("claims", "signed claims not checked", { kind: "artifact" });
  }
  const { report, content } = verifyClaims(evidence, subject, policy.claims);
  return (policy.claims.subject === "insecureSkip" ? skipped : passed)("claims", report, content);
}

/**
 * Step "identity": the certificate's name and issuer satisfy the policy.
 *
 * @param step.path the verified path of the certificate; undefined for a bare key
 * @returns the signer
 * @throws CheckFailed "identity"
 */
export async function checkIdentity(step: {
  path: CertificatePath | undefined;
  key: PublicKey;
  policy: Policy;
}): Promise<Step<VerifiedSigner>> {
  const { path, key, policy } = step;
  if (policy.signer.kind === "key") return { check: undefined, value: { kind: "key", key } };
  if (!path) throw new CheckFailed("identity", "no certificate to identify the signer");
  const { fulcioExtensions, verifyIdentity } = await forCertificates();
  const leaf = path.leaf.asn1;
  const { name, issuer, report } = verifyIdentity(leaf, policy.signer.identity);
  return passed("identity", report, {
    kind: "certificate",
    key,
    name,
    issuer,
    extensions: fulcioExtensions(leaf),
  });
}

/** Describes a verified log entry for the verdict. */
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
