import type { Evidence } from "../evidence/model.ts";
import { certificateNames } from "../format/certificate-names.ts";
import { parseJson } from "../format/json.ts";
import { isFromBundle } from "../images/log-lookup.ts";
import type { Repository } from "../oci/ref.ts";
import { evaluatePolicies, type PolicyIo } from "../policy/index.ts";
import { parseCertificate } from "../trust/certificate.ts";
import type { Log } from "../trust/material.ts";
import type { Verified } from "../verify/verify.ts";
import type { Demand, Denied, Signer, TrustPolicy } from "./model.ts";
import type { Principal } from "./requirement.ts";
import { slsaFaults } from "./slsa.ts";
import { fingerprint, type PolicySources } from "./sources.ts";
import { vsaFaults } from "./vsa.ts";
import { vulnerabilityFaults } from "./vulnerabilities.ts";

/** A signature that `verify` has accepted for one signer, with the evidence it was read from. */
export interface Signed {
  readonly verified: Verified;
  readonly evidence: Evidence;
}

/** What the gates compare with. */
export interface GateContext {
  readonly io: PolicyIo;
  readonly policy: TrustPolicy;
  readonly sources: PolicySources;
  readonly demand: Demand;
  readonly signer: Signer;
  /** The trusted logs, to find those that the demand names by URL. */
  readonly logs: readonly Log[];
  readonly now: Date;
  /** The repository of the image as it is named; undefined for a file. */
  readonly image: Repository | undefined;
}

/** Why evidence of this form does not count; undefined if it may. */
export function formFault(evidence: Evidence, { form }: Pick<Demand, "form">): string | undefined {
  if (form === "any" || form === (isFromBundle(evidence) ? "bundle" : "legacy")) return undefined;
  return `form mismatch: got ${form === "bundle" ? "legacy" : "bundle"}, want ${form}`;
}

/** Why a verified signature does not count: what is denied first, then the signer's end, the demand, and the statement. */
export async function gateFaults(signed: Signed, context: GateContext): Promise<string[]> {
  const { policy, sources, signer, demand, logs, now } = context;
  const denied = deniedBy(signed, policy.denied, await sources.deniedKeys());
  if (denied !== undefined) return [denied];
  const faults = [
    ...untilFaults(signed, signer),
    ...ageFaults(signed, demand, now),
    ...logFaults(signed, demand, logs),
  ];
  if (faults.length > 0 || !demand.attestation) return faults;
  return statementFaults(signed, demand.attestation, context);
}

/** The reason for which a signature is denied: its key, a name of its certificate, or one of its log entries. */
function deniedBy(
  { verified, evidence }: Signed,
  denied: Denied,
  keys: ReadonlyMap<string, string>,
): string | undefined {
  const key = keys.get(fingerprint(verified.signer.key));
  if (key !== undefined) return `denied key: ${key}`;
  const { signer, entries } = verified;
  if (signer.kind === "certificate") {
    const names = namesOf(evidence);
    const identity = denied.identities.find(
      (each) =>
        names.some((name) => each.identity.matches(name)) &&
        (each.issuer === undefined || (signer.issuer !== undefined && each.issuer.matches(signer.issuer))),
    );
    if (identity) return `denied identity ${names.join(", ")}: ${identity.reason}`;
  }
  const stored = new Set([
    ...entries.map(({ logId, logIndex }) => `${logId} ${logIndex}`),
    // Also entries that were not verified: a policy that skips the log must not skip what is denied.
    ...evidence.log.map(({ logId, logIndex }) => `${Buffer.from(logId.keyId).toString("hex")} ${logIndex}`),
  ]);
  const entry = denied.logEntries.find(({ log, index }) => stored.has(`${log} ${index}`));
  return entry && `denied log entry ${entry.index}: ${entry.reason}`;
}

/** All names of the evidence's certificate. */
function namesOf({ key }: Evidence): string[] {
  return key.kind === "certificate" ? certificateNames(parseCertificate(key.leaf).asn1) : [];
}

/**
 * Who made a signature: the key with its earlier versions, any of which may have made it, and every name of the certificate with
 * the issuer. The case of names does not tell people apart.
 */
export function principalOf({ verified, evidence }: Signed): Principal {
  const { signer } = verified;
  const keys = [signer.key, ...(signer.key.earlier ?? [])].map((key) => `key ${fingerprint(key)}`);
  if (signer.kind === "key") return keys;
  const names = namesOf(evidence).map((name) => JSON.stringify([signer.issuer ?? null, name.toLowerCase()]));
  return [...keys, ...names.map((name) => `identity ${name}`)];
}

/**
 * The earliest trusted time: the signature existed then. Undefined without any. A later one proves nothing about when it was made:
 * anybody can have an old signature timestamped again.
 */
export function earliestTime({ entries, timestamps }: Pick<Verified, "entries" | "timestamps">): Date | undefined {
  const times = [
    ...entries.flatMap(({ integratedTime }) => integratedTime ?? []),
    ...timestamps.map(({ time }) => time),
  ];
  return times.toSorted((a, b) => a.getTime() - b.getTime())[0];
}

function untilFaults({ verified }: Signed, { until }: Signer): string[] {
  if (until === undefined) return [];
  const time = earliestTime(verified);
  if (time === undefined)
    return [`signer is retired since ${until.toISOString()}, and the signature has no trusted time`];
  return time < until
    ? []
    : [`signer is retired since ${until.toISOString()}, and the signature is of ${time.toISOString()}`];
}

function ageFaults({ verified }: Signed, { maxAge }: Demand, now: Date): string[] {
  if (maxAge === undefined) return [];
  const time = earliestTime(verified);
  const oldest = new Date(now.getTime() - maxAge);
  if (time === undefined) return ["signature has no trusted time, so its age is unknown"];
  return time < oldest
    ? [`signature is too old: got ${time.toISOString()}, want ${oldest.toISOString()} or later`]
    : [];
}

function logFaults({ verified }: Signed, { logs: wanted }: Demand, logs: readonly Log[]): string[] {
  if (wanted === undefined) return [];
  const urlOf = (id: string) => logs.find((log) => Buffer.from(log.id).toString("hex") === id)?.baseUrl;
  const withoutSlash = (text: string | undefined) => text?.replace(/\/+$/, "");
  const counts = ({ logId }: { logId: string }) =>
    wanted.some((each) => each === logId || withoutSlash(each) === withoutSlash(urlOf(logId)));
  if (verified.entries.some(counts)) return [];
  const found = verified.entries.map(({ logId }) => urlOf(logId) ?? logId).join(", ");
  return [`log mismatch: got ${found === "" ? "none" : found}, want ${wanted.join(" or ")}`];
}

async function statementFaults(
  { verified }: Signed,
  demand: NonNullable<Demand["attestation"]>,
  { io, policy, sources, now, image }: GateContext,
): Promise<string[]> {
  const { content } = verified;
  if (content.kind !== "statement") return ["not an attestation"];
  const { slsa, vulnerabilities, vsa, policies } = demand;
  const statement = slsa || vulnerabilities || vsa ? parseJson(content.payload, "statement") : undefined;
  const faults = [
    ...(slsa ? slsaFaults(statement, slsa, policy.builders) : []),
    ...(vsa ? vsaFaults(statement, vsa, image) : []),
    ...(vulnerabilities ? vulnerabilityFaults(statement, vulnerabilities, now) : []),
  ];
  if (faults.length > 0 || policies.length === 0) return faults;
  const result = await evaluatePolicies(io, content.payload, await sources.policies(policies));
  return result.ok ? [] : result.reasons;
}
