import type { Evidence } from "../evidence/model.ts";
import type { Message } from "../format/digest.ts";
import type { PublicKey } from "../keys/types.ts";
import type { CertificatePath } from "../trust/certificate-path.ts";
import { isWithin, type TimestampAuthority } from "../trust/material.ts";
import { verifyClaims } from "./claims.ts";
import { refuseDuplicates, verifyBody, verifyInclusion } from "./inclusion.ts";
import { entriesOfTrustedLogs, integratedTime, type KnownEntry, verifyEntry } from "./log.ts";
import {
  CheckFailed,
  type CheckName,
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

const forCertificates = () => import("./certified.ts");

/**
 * Step "log": every entry of a trusted log is included in it, was made by this key, and is about this signature over this
 * message; and as many logs as the policy demands have one. Entries of other logs say nothing either way.
 *
 * @returns those entries; none where the log is not checked
 * @throws CheckFailed
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
    requireAtLeast("log", { wanted: policy.transparencyLogs ?? 0, found: 0, of: "transparency logs" });
    return skipped("log", "the transparency log is not checked", []);
  }
  const entries = entriesOfTrustedLogs(evidence, trust.logs);
  for (const each of entries) verifyEntry(each, { evidence, key });
  for (const each of entries) {
    verifyInclusion(each);
    verifyBody(each, { evidence, message });
  }
  refuseDuplicates(entries);
  const found = new Set(entries.map(({ log }) => Buffer.from(log.id).toString("hex"))).size;
  requireAtLeast("log", { wanted: Math.max(1, policy.transparencyLogs ?? 1), found, of: "transparency logs" });
  return passed("log", "included in a trusted transparency log", entries);
}

/** The times a signature is known to have existed at. */
export interface TrustedTimes {
  readonly times: readonly Date[];
  readonly timestamps: readonly VerifiedTimestamp[];
}

/**
 * Step "time": promised by the logs whose entries hold, and signed by as many trusted timestamp authorities as the policy
 * demands. A log must have been trusted at all of these times.
 *
 * @throws CheckFailed where too few authorities have signed one, or a timestamp in a trusted authority's name does not hold
 */
export async function checkTimes(step: {
  evidence: Evidence;
  entries: readonly KnownEntry[];
  trust: TrustMaterial;
  policy: Policy;
}): Promise<Step<TrustedTimes>> {
  const { evidence, entries, trust, policy } = step;
  const held = evidence.timestamps.length === 0 ? [] : await trustedTimestamps(evidence, trust);
  const required = policy.timestamp === "required";
  const wanted = required ? Math.max(1, policy.timestamps ?? 1) : (policy.timestamps ?? 0);
  if (wanted === 1 && held.length === 0) {
    const found = evidence.timestamps.length > 0 ? "its signed timestamps are of no trusted authority" : "it has none";
    throw new CheckFailed("time", `a signed timestamp is required: ${found}`);
  }
  const found = new Set(held.map(({ authority }) => identityOf(authority))).size;
  requireAtLeast("time", { wanted, found, of: "timestamp authorities" });
  for (const { time } of held) {
    const ended = entries.find(({ log }) => !isWithin(log.validFor, time));
    if (ended) throw new CheckFailed("log", `${ended.log.baseUrl} is not trusted for ${time.toISOString()}`);
  }
  const promised = entries.flatMap(({ entry }) => integratedTime(entry) ?? []);
  const times = [...promised, ...held.map(({ time }) => time)];
  const value = { times, timestamps: held.map(({ time, response }) => ({ time, response })) };
  if (times.length === 0) return { check: undefined, value };
  return passed("time", times.map((time) => time.toISOString()).join(", "), value);
}

/** The timestamps of trusted authorities, over the signature or over what was stored with it. */
async function trustedTimestamps({ content, timestamped, timestamps }: Evidence, trust: TrustMaterial) {
  const { verifyTimestamp } = await import("./timestamp.ts");
  const messages = [content.signature, ...(timestamped ? [timestamped] : [])];
  return timestamps.flatMap((response) => {
    const made = verifyTimestamp(response, messages, trust.timestampAuthorities);
    return made ? [{ ...made, response }] : [];
  });
}

/** Authorities with the same roots count as one: a trusted root lists an authority again for each of its certificates. */
function identityOf({ roots }: TimestampAuthority): string {
  return roots
    .map((root) => Buffer.from(root).toString("hex"))
    .sort()
    .join();
}

/** A number that is none demands more than there can be. */
function requireAtLeast(check: CheckName, count: { wanted: number; found: number; of: string }): void {
  const { wanted, found, of } = count;
  if (found >= wanted) return;
  const compared = { expected: String(wanted), actual: String(found) };
  throw new CheckFailed(check, `expected ${wanted} ${of}, got ${found}`, compared);
}

/**
 * Step "key": the policy's, or a certificate with a path to a trusted root at every trusted time; without a log to give one,
 * at the present.
 *
 * @returns the certificate's path; undefined for a bare key
 * @throws CheckFailed
 */
export async function checkKey(step: {
  evidence: Evidence;
  times: readonly Date[];
  trust: TrustMaterial;
  policy: Policy;
}): Promise<Step<CertificatePath | undefined>> {
  const { evidence, trust, policy } = step;
  if (policy.signer.kind === "key" || evidence.key.kind !== "certificate") {
    return passed("key", "the given public key", undefined);
  }
  const times = step.times.length === 0 && policy.log === "insecureSkip" ? [trust.now] : step.times;
  const { verifyCertificate } = await forCertificates();
  const path = verifyCertificate(evidence.key, trust, times);
  return passed("key", "a certificate with a path to a trusted root", path);
}

/**
 * Step "sct": the certificate was made public (RFC 6962). There is nothing to check of a bare key.
 *
 * @throws CheckFailed
 */
export async function checkScts(step: {
  path: CertificatePath | undefined;
  trust: TrustMaterial;
  policy: Policy;
}): Promise<Step<undefined>> {
  const { path, trust, policy } = step;
  if (!path) return { check: undefined, value: undefined };
  if (policy.sct === "insecureSkip") return skipped("sct", "certificate transparency is not checked", undefined);
  const { verifyScts } = await forCertificates();
  return passed("sct", verifyScts(path, { logs: trust.ctLogs, detached: policy.sct.detached }), undefined);
}

/**
 * Step "claims": what the signed document says.
 *
 * @returns what of it is about the subject
 * @throws CheckFailed
 */
export function checkClaims(step: { evidence: Evidence; subject: Subject; policy: Policy }): Step<VerifiedContent> {
  const { evidence, subject, policy } = step;
  if (policy.claims === "insecureSkip") {
    return skipped("claims", "the signed claims are not checked", { kind: "artifact" });
  }
  const { report, content } = verifyClaims(evidence, subject, policy.claims);
  return (policy.claims.subject === "insecureSkip" ? skipped : passed)("claims", report, content);
}

/**
 * Step "identity": whose the signature is, the key's or that of the name and issuer that the policy accepts.
 *
 * @param step.path the certificate's, of which everything else was verified; undefined for a bare key
 * @throws CheckFailed
 */
export async function checkIdentity(step: {
  path: CertificatePath | undefined;
  key: PublicKey;
  policy: Policy;
}): Promise<Step<VerifiedSigner>> {
  const { path, key, policy } = step;
  if (policy.signer.kind === "key") return { check: undefined, value: { kind: "key", key } };
  if (!path) throw new CheckFailed("identity", "there is no certificate to identify the signer");
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
