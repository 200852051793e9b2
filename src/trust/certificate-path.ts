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
/** Extensions that are judged here or change nothing about a path; any other one that is critical forbids to rely on it. */
const KNOWN_EXTENSIONS = new Set([
  "2.5.29.14", // subject key identifier
  "2.5.29.15", // key usage
  "2.5.29.17", // subject alternative name
  "2.5.29.19", // basic constraints
  "2.5.29.31", // where revocations are listed
  "2.5.29.32", // policies, and their constraints below
  "2.5.29.35", // authority key identifier
  "2.5.29.36",
  "2.5.29.37", // extended key usage
  "2.5.29.54",
]);
/** A path with more authorities than this is refused; Fulcio's has two. */
const MAX_PATH = 8;
/** Different certificates that a signer may offer; real chains have up to four. */
const MAX_OFFERED = 100;

/** DER certificates. Intermediates only help to build a path; a path must end at a root. */
export interface CertificateAuthorities {
  readonly roots: readonly Uint8Array[];
  readonly intermediates: readonly Uint8Array[];
}

/** A path that holds: the leaf, and who issued it. */
export interface CertificatePath {
  readonly leaf: Certificate;
  readonly issuer: Certificate;
}

/** What a leaf has to be for: signing artifacts, or timestamps and nothing else (RFC 3161 §2.3). */
export type Purpose = "codeSigning" | "timeStamping";

/** What a path is searched with. */
export interface PathOptions {
  /** DER. */
  readonly leaf: Uint8Array;
  readonly authorities: CertificateAuthorities;
  /** DER certificates that came with the leaf, from whoever wrote it: they only help to find the path. */
  readonly offered?: readonly Uint8Array[];
  readonly at: Date;
  readonly purpose?: Purpose;
  /** Shared by the paths of one run; one of its own without. */
  readonly budget?: PathBudget;
}

/**
 * Checks that a leaf certificate is for its purpose and has a path to a trusted root in which every certificate is valid
 * at the time, is a CA where it has to be, and respects the path length (RFC 5280 §6.1; policies are not used, and a CA
 * with name constraints is not accepted).
 *
 * @throws TsignError "untrusted" saying which check failed, "limit" when the search was given up
 */
export function verifyCertificatePath(options: PathOptions): CertificatePath {
  const { authorities, at, purpose = "codeSigning", offered = [], budget = new PathBudget() } = options;
  const leaf = parseCertificate(options.leaf);
  if (authorities.roots.length === 0) throw new TsignError("untrusted", "no certificate authority is trusted");
  if (!isValidAt(leaf.native, at)) {
    const { validFrom, validTo } = leaf.native;
    throw new TsignError(
      "untrusted",
      `the certificate is valid from ${validFrom} to ${validTo}, not at ${at.toISOString()}`,
    );
  }
  if (leaf.native.ca || !isFor(leaf, purpose)) {
    const use = purpose === "codeSigning" ? "code signing" : "timestamps alone";
    throw new TsignError("untrusted", `the certificate is not for ${use}`);
  }
  if (hasUnknownCritical(leaf)) {
    throw new TsignError("untrusted", "the certificate has a critical extension that is not known here");
  }
  if (!hasSoundSignature(leaf)) {
    throw new TsignError("untrusted", "the certificate is signed with an algorithm or hash that is not accepted");
  }
  const pool = {
    roots: byName(authorities.roots),
    intermediates: byName(authorities.intermediates),
    offered: byName(different(offered)),
    at,
    purpose,
  };
  const work = budget.path();
  const issuer = findIssuer(leaf, { ...pool, offered: new Map() }, work) ?? findIssuer(leaf, pool, work);
  if (!issuer) throw new TsignError("untrusted", "the certificate has no valid path to a trusted root");
  return { leaf, issuer };
}

/** The same without repetitions. */
function different(certificates: readonly Uint8Array[]): readonly Uint8Array[] {
  const found = new Map(certificates.map((der) => [Buffer.from(der).toString("latin1"), der]));
  if (found.size > MAX_OFFERED) {
    throw new TsignError("limit", `its chain has more than ${MAX_OFFERED} different certificates`);
  }
  return [...found.values()];
}

/** DER certificates by their subject. */
type ByName = ReadonlyMap<string, readonly Uint8Array[]>;

const nameOf = (name: Uint8Array) => Buffer.from(name).toString("latin1");

function byName(certificates: readonly Uint8Array[]): ByName {
  return Map.groupBy(certificates, (der) => nameOf(subjectOf(der)));
}

/** A signing certificate names its use among others, a timestamp authority's names its one alone, as critical. */
function isFor({ native, asn1 }: Certificate, purpose: Purpose): boolean {
  const usages = native.keyUsage ?? []; // extended key usage, as OIDs
  if (purpose === "codeSigning") return usages.some((usage) => allows(usage, purpose));
  const critical = asn1.extension(OID.extendedKeyUsage)?.critical ?? false;
  return critical && usages.length === 1 && usages[0] === OID.timeStamping;
}

interface Pool {
  readonly roots: ByName;
  readonly intermediates: ByName;
  /** What came with the leaf. */
  readonly offered: ByName;
  readonly at: Date;
  readonly purpose: Purpose;
}

/** A certificate that the search has come to, and who issued the leaf on the way there. */
interface Step {
  readonly certificate: Certificate;
  readonly issuer: Certificate | undefined;
}

/**
 * Who issued the leaf, if a path leads on from there to a root. The search goes up level by level and comes to each certificate
 * once, by the shortest way: whatever holds for a longer way holds for that one. The trusted certificates are searched alone first,
 * so that nothing that was offered beside them keeps a path from being found.
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

/** RFC 5280 §4.2: what is critical and not understood must not be passed over; a precertificate is marked so (RFC 6962 §3.1). */
function hasUnknownCritical({ asn1 }: Certificate): boolean {
  return asn1.extensions.some(({ subs: [oid, ...others] }) => {
    const critical = others.some((each) => each.tag.isBoolean() && each.toBoolean());
    return critical && !KNOWN_EXTENSIONS.has(oid?.toOID() ?? "");
  });
}

/** @param below how many CA certificates lie between it and the leaf */
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
