import { layerIdentity } from "../evidence/legacy/merge.ts";
import type { Evidence, EvidenceKey } from "../evidence/model.ts";
import { isObject, parseJson } from "../format/json.ts";
import { parseForPrinting } from "../format/signed-json.ts";
import { parseCertificate } from "../trust/certificate.ts";
import { readToken } from "../verify/timestamp-token.ts";
import type { Verified } from "../verify/verify.ts";

/** A stored signature that verified. */
export interface Recognized {
  readonly evidence: Evidence;
  readonly verified: Verified;
  /** When it was made as its manifest states, which is not verified. */
  readonly claimed: Date | undefined;
}

/** Which signatures to keep besides the newest of each signer. */
export interface Retention {
  /** How many of equivalent signatures are kept, the newest; at least 1. */
  readonly keep: number;
  /** Signatures made after this time are kept; undefined for any age. */
  readonly before: Date | undefined;
}

/** Why a signature stays, or which newer ones replace it. */
export type Standing = { readonly kept: string } | { readonly newer: readonly [Recognized, ...Recognized[]] };

/** Extensions that differ in every certificate: its key, its SCTs, and the run of a workflow (Fulcio's OID information). */
const OF_ONE_CERTIFICATE = new Set(["2.5.29.14", "1.3.6.1.4.1.11129.2.4.2", "1.3.6.1.4.1.57264.1.21"]);

/**
 * Decides for each signature whether newer ones replace it. One replaces another only if every policy that accepts the older accepts
 * the newer: they have the same form, signer, signed content, and kinds of proof, and their certificates, proofs and timestamps are from the same
 * authorities and logs and state the same. Of copies of one signature all stay or none.
 *
 * @param signatures in the order in which they are stored
 */
export function standings(signatures: readonly Recognized[], retention: Retention): Map<Recognized, Standing> {
  const result = new Map<Recognized, Standing>();
  const groups = new Map<string, Recognized[]>();
  for (const each of signatures) {
    const reason = reasonToLeave(each);
    if (reason !== undefined) {
      result.set(each, { kept: reason });
      continue;
    }
    const key = equivalence(each);
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  for (const group of groups.values()) {
    const copies = [...Map.groupBy(newestFirst(group), identityOf).values()];
    const [first, ...others] = copies.flatMap(([each]) => each ?? []);
    if (!first) continue;
    const kept = [first, ...others.slice(0, Math.max(0, retention.keep - 1))] as [Recognized, ...Recognized[]];
    for (const each of kept) result.set(each, { kept: copies.length === 1 ? ONLY : NEWEST });
    for (const each of others.slice(kept.length - 1)) result.set(each, ageStanding(each, kept, retention));
    for (const [each, ...same] of copies) {
      const standing = each && result.get(each);
      if (standing) for (const copy of same) result.set(copy, "kept" in standing ? { kept: COPY } : standing);
    }
  }
  return result;
}

const ONLY = "the only signature of this signer with this content and these proofs";
const NEWEST = "the newest signature of this signer";
const COPY = "a copy of a signature that stays";

/** A text that is the same for copies of a signature, which can only be removed together. */
function identityOf({ evidence: { origin } }: Recognized): string {
  const { stored } = origin;
  return stored?.layer ? layerIdentity(stored.layer) : `${stored?.manifest}`;
}

function ageStanding(one: Recognized, newer: [Recognized, ...Recognized[]], { before }: Retention): Standing {
  if (before === undefined) return { newer };
  const time = signingTime(one);
  if (!time) return { kept: "superseded, but no log or timestamp authority states its age" };
  return time < before ? { newer } : { kept: "superseded, but not older than --older-than" };
}

/** The earliest time that a log or a timestamp authority signed for a signature; undefined without one. */
function signingTime({ verified }: Pick<Recognized, "verified">): Date | undefined {
  const logged = verified.entries.flatMap(({ integratedTime }) => integratedTime ?? []);
  const times = [...logged, ...verified.timestamps.map(({ time }) => time)];
  return times.length === 0 ? undefined : new Date(Math.min(...times.map((time) => time.getTime())));
}

/** Newest first. Signatures without a time are older the earlier they are stored. */
function newestFirst(group: readonly Recognized[]): Recognized[] {
  const timeOf = (each: Recognized) => (signingTime(each) ?? each.claimed)?.getTime() ?? 0;
  return group.toReversed().sort((one, other) => timeOf(other) - timeOf(one));
}

/** Why a signature neither replaces another nor is replaced; undefined if it may be. */
function reasonToLeave({ evidence, verified }: Recognized): string | undefined {
  const { origin, log, timestamps } = evidence;
  if (!origin.stored) return "it is not stored in the registry";
  if (origin.kind === "referrer" && origin.stored.layer) return "it is a legacy signature stored as a referrer";
  const entries = verified.entries.filter(({ fetched }) => !fetched);
  if (log.length > entries.length || timestamps.length > verified.timestamps.length) {
    return "not all of its log entries and timestamps were verified";
  }
  if (verified.signer.kind === "certificate" && !signingTime({ verified })) {
    return "no log or timestamp authority states when its certificate signed";
  }
  return undefined;
}

/** A text that two signatures share only if one can replace the other. */
function equivalence({ evidence, verified }: Recognized): string {
  const { signer, content, entries, timestamps, checks } = verified;
  const names = signer.kind === "key" ? [signer.key.pem] : [signer.name, signer.issuer ?? null];
  const proofs = entries.map(({ logId, kind, fetched, entry }) => [
    ...[logId, kind, fetched, entry.inclusionProof !== undefined, entry.inclusionPromise !== undefined],
  ]);
  const authorities = timestamps.map(({ response }) => readToken(response).signer);
  const made = checks.map(({ name, outcome }) => `${name} ${outcome}`);
  const payload = content.kind === "artifact" ? null : factsOf(content.payload);
  return JSON.stringify([
    ...[evidence.origin.kind, content.kind, names, certificateFacts(evidence.key, signer.kind === "certificate")],
    ...[proofs.map((each) => each.join(" ")).sort(), made, payload],
    authorities.map(({ issuer, serial }) => `${hex(issuer)} ${hex(serial)}`).sort(),
  ]);
}

/**
 * What a policy may demand of the certificate that is stored with a signature: who issued and logged it, and what it states.
 *
 * @param isVerified whether it was verified; otherwise only the same certificate is equal
 */
function certificateFacts(key: EvidenceKey, isVerified: boolean): unknown {
  if (key.kind !== "certificate") return null;
  const chain = key.chain.map(hex);
  if (!isVerified) return [hex(key.leaf), chain];
  const { issuer, asn1 } = parseCertificate(key.leaf);
  const extensions = asn1.extensions.filter(({ subs: [oid] }) => !OF_ONE_CERTIFICATE.has(oid?.toOID() ?? ""));
  const scts = asn1.extSCT?.signedCertificateTimestamps ?? [];
  const logs = scts.map(({ logID }) => hex(logID)).sort();
  return [hex(issuer), chain, extensions.map((each) => hex(each.toDER())), logs];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The signed facts, with the names of every object in order: signers write them in different orders. Numbers are as they are written. */
function factsOf(payload: Uint8Array): unknown {
  parseJson(payload, "the signed content"); // the stricter of the two
  return sorted(parseForPrinting(Buffer.from(payload).toString("utf8")));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value) || JSON.isRawJSON(value)) return value;
  const members = Object.entries(value).map(([name, member]): [string, unknown] => [name, sorted(member)]);
  return { members: members.sort(([one], [other]) => (one < other ? -1 : 1)) };
}
