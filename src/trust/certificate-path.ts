import type { X509Certificate } from "node:crypto";
import { TsignError } from "../errors.ts";
import { type Certificate, parseCertificate, subjectOf } from "./certificate.ts";
import { PathBudget, type PathWork } from "./path-budget.ts";
import { hasSoundSignature } from "./signature-algorithm.ts";

const OID = {
  codeSigning: "1.3.6.1.5.5.7.3.3",
  timeStamping: "1.3.6.1.5.5.7.3.8",
  anyUsage: "2.5.29.37.0",
  extendedKeyUsage: "2.5.29.37",
  nameConstraints: "2.5.29.30",
} as const;
/** Extensions that are checked here or do not affect a path; a certificate with any other critical one is refused. */
const KNOWN_EXTENSIONS = new Set([
  "2.5.29.14", // subject key identifier
  "2.5.29.15", // key usage
  "2.5.29.17", // subject alternative name
  "2.5.29.19", // basic constraints
  "2.5.29.31", // CRL distribution points
  "2.5.29.32", // certificate policies
  "2.5.29.35", // authority key identifier
  "2.5.29.36", // policy constraints
  "2.5.29.37", // extended key usage
  "2.5.29.54", // inhibit anyPolicy
]);
/** Most authorities in a path; Fulcio's has two. */
const MAX_PATH = 8;
/** Most different certificates in a signer's chain; real chains have up to four. */
const MAX_OFFERED = 100;

/** DER certificates. A path may use the intermediates, and must end at a root. */
export interface CertificateAuthorities {
  readonly roots: readonly Uint8Array[];
  readonly intermediates: readonly Uint8Array[];
}

/** A verified path: the leaf and its issuer. */
export interface CertificatePath {
  readonly leaf: Certificate;
  readonly issuer: Certificate;
}

/** Required usage of a leaf: signing artifacts, or timestamping only (RFC 3161 §2.3). */
export type Purpose = "codeSigning" | "timeStamping";

/** Options for verifying a path. */
export interface PathOptions {
  /** DER. */
  readonly leaf: Uint8Array;
  readonly authorities: CertificateAuthorities;
  /** Untrusted DER certificates stored with the leaf; a path may use them as intermediates. */
  readonly offered?: readonly Uint8Array[];
  readonly at: Date;
  readonly purpose?: Purpose;
  /** Shared by the paths of one run; by default each path has its own. */
  readonly budget?: PathBudget;
}

/**
 * Checks that a leaf certificate has the required usage and a path to a trusted root. Every certificate in the path must be valid
 * at the time, and every issuer must be a CA within its path length (RFC 5280 §6.1; certificate policies are ignored, and a CA
 * with name constraints is refused).
 *
 * @throws TsignError "untrusted" with the failed check, "limit" when the search is stopped
 */
export function verifyCertificatePath(options: PathOptions): CertificatePath {
  const { authorities, at, purpose = "codeSigning", offered = [], budget = new PathBudget() } = options;
  const leaf = parseCertificate(options.leaf);
  if (authorities.roots.length === 0) throw new TsignError("untrusted", "no certificate authority is trusted");
  if (!isValidAt(leaf.native, at)) {
    const { validFrom, validTo } = leaf.native;
    throw new TsignError(
      "untrusted",
      `certificate is valid from ${validFrom} to ${validTo}, not at ${at.toISOString()}`,
    );
  }
  if (leaf.native.ca || !isFor(leaf, purpose)) {
    const use = purpose === "codeSigning" ? "code signing" : "timestamping only";
    throw new TsignError("untrusted", `certificate is not for ${use}`);
  }
  if (hasUnknownCritical(leaf)) {
    throw new TsignError("untrusted", "certificate has an unknown critical extension");
  }
  if (!hasSoundSignature(leaf)) {
    throw new TsignError("untrusted", "certificate is signed with an unsupported algorithm or hash");
  }
  const pool = {
    roots: byName(authorities.roots),
    intermediates: byName(authorities.intermediates),
    offered: byName(withoutDuplicates(offered)),
    at,
    purpose,
  };
  const work = budget.path();
  const issuer = findIssuer(leaf, { ...pool, offered: new Map() }, work) ?? findIssuer(leaf, pool, work);
  if (!issuer) throw new TsignError("untrusted", "certificate has no valid path to a trusted root");
  return { leaf, issuer };
}

/** Removes duplicates. */
function withoutDuplicates(certificates: readonly Uint8Array[]): readonly Uint8Array[] {
  const found = new Map(certificates.map((der) => [Buffer.from(der).toString("latin1"), der]));
  if (found.size > MAX_OFFERED) {
    throw new TsignError("limit", `chain has more than ${MAX_OFFERED} different certificates`);
  }
  return [...found.values()];
}

/** DER certificates by their subject. */
type ByName = ReadonlyMap<string, readonly Uint8Array[]>;

const nameOf = (name: Uint8Array) => Buffer.from(name).toString("latin1");

function byName(certificates: readonly Uint8Array[]): ByName {
  return Map.groupBy(certificates, (der) => nameOf(subjectOf(der)));
}

/** Checks the extended key usage: code signing may be one of several, timestamping must be the only one, and critical. */
function isFor({ native, asn1 }: Certificate, purpose: Purpose): boolean {
  const usages = native.keyUsage ?? []; // extended key usage, as OIDs
  if (purpose === "codeSigning") return usages.some((usage) => allows(usage, purpose));
  const critical = asn1.extension(OID.extendedKeyUsage)?.critical ?? false;
  return critical && usages.length === 1 && usages[0] === OID.timeStamping;
}

interface Pool {
  readonly roots: ByName;
  readonly intermediates: ByName;
  /** Certificates stored with the leaf. */
  readonly offered: ByName;
  readonly at: Date;
  readonly purpose: Purpose;
}

/** A certificate reached by the search, and the leaf's issuer on the way to it. */
interface Step {
  readonly certificate: Certificate;
  readonly issuer: Certificate | undefined;
}

/**
 * Finds the leaf's issuer on a path to a root. The search is breadth-first and visits each certificate once, on its shortest path,
 * because any path that continues from a longer one continues from that one, too. The caller first searches the trusted
 * certificates alone, so that offered ones cannot use up the budget.
 */
function findIssuer(leaf: Certificate, pool: Pool, work: PathWork): Certificate | undefined {
  const known = new Set<string>();
  let steps: Step[] = [{ certificate: leaf, issuer: undefined }];
  for (let below = 0; below < MAX_PATH && steps.length > 0; below++) {
    const next: Step[] = [];
    for (const { certificate, issuer } of steps) {
      const name = nameOf(certificate.issuer);
      const mayIssue = (candidate: Certificate) =>
        isAuthority(candidate, below, pool) &&
        certificate.native.checkIssued(candidate.native) &&
        work.isSigned(certificate, candidate);
      const trusted = (pool.roots.get(name) ?? []).map(parseCertificate);
      const root = trusted.find(mayIssue);
      if (root) return issuer ?? root;
      const candidates = [
        ...(pool.intermediates.get(name) ?? []).map(parseCertificate),
        ...(pool.offered.get(name) ?? []).map((der) => work.parse(der)),
      ];
      for (const candidate of candidates) {
        const id = candidate.native.fingerprint256;
        if (known.has(id) || !hasSoundSignature(candidate) || !mayIssue(candidate)) continue;
        known.add(id);
        next.push({ certificate: candidate, issuer: issuer ?? candidate });
      }
    }
    steps = next;
  }
  return undefined;
}

/** Whether there is an unknown critical extension (RFC 5280 §4.2), as in a precertificate (RFC 6962 §3.1). */
function hasUnknownCritical({ asn1 }: Certificate): boolean {
  return asn1.extensions.some(({ subs: [oid, ...others] }) => {
    const critical = others.some((each) => each.tag.isBoolean() && each.toBoolean());
    return critical && !KNOWN_EXTENSIONS.has(oid?.toOID() ?? "");
  });
}

/** @param below number of CA certificates between this one and the leaf */
function isAuthority(certificate: Certificate, below: number, { at, purpose }: Pool): boolean {
  const { native, asn1 } = certificate;
  const limit = asn1.extBasicConstraints?.pathLenConstraint;
  const usages = native.keyUsage ?? [];
  return (
    native.ca &&
    isValidAt(native, at) &&
    (limit === undefined || Number(limit) >= below) &&
    (usages.length === 0 || usages.some((usage) => allows(usage, purpose))) &&
    asn1.extension(OID.nameConstraints) === undefined &&
    !hasUnknownCritical(certificate)
  );
}

function allows(usage: string, purpose: Purpose): boolean {
  return usage === OID[purpose] || usage === OID.anyUsage;
}

function isValidAt(certificate: X509Certificate, time: Date): boolean {
  return certificate.validFromDate <= time && time <= certificate.validToDate;
}
