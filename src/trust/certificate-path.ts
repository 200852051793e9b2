import { X509Certificate } from "node:crypto";
import { X509Certificate as Asn1Certificate } from "@sigstore/core";
import { TsignError } from "../errors.ts";

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
/** ECDSA and RSA with SHA-2, RSASSA-PSS, Ed25519. Weaker hashes let another certificate be made for a signature. */
const SIGNATURES = new Set([
  "1.2.840.10045.4.3.2",
  "1.2.840.10045.4.3.3",
  "1.2.840.10045.4.3.4",
  "1.2.840.113549.1.1.10",
  "1.2.840.113549.1.1.11",
  "1.2.840.113549.1.1.12",
  "1.2.840.113549.1.1.13",
  "1.3.101.112",
]);
/** A path longer than this is refused; Fulcio's has three certificates. */
const MAX_PATH = 8;

/** DER certificates. Intermediates only help to build a path; a path must end at a root. */
export interface CertificateAuthorities {
  readonly roots: readonly Uint8Array[];
  readonly intermediates: readonly Uint8Array[];
}

/** A certificate as node:crypto sees it (signatures, names, usages) and as ASN.1 (extensions, path length). */
export interface Certificate {
  readonly native: X509Certificate;
  readonly asn1: Asn1Certificate;
}

/**
 * Parses a DER certificate.
 *
 * @throws TsignError "untrusted"
 */
export function parseCertificate(der: Uint8Array): Certificate {
  try {
    const native = new X509Certificate(der);
    void native.publicKey; // read only now, and it may not be one
    return { native, asn1: Asn1Certificate.parse(Buffer.from(der)) };
  } catch (cause) {
    throw new TsignError("untrusted", "a certificate cannot be read", { cause });
  }
}

/** A path that holds: the leaf, and who issued it. */
export interface CertificatePath {
  readonly leaf: Certificate;
  readonly issuer: Certificate;
}

/** What a leaf has to be for: signing artifacts, or timestamps and nothing else (RFC 3161 §2.3). */
export type Purpose = "codeSigning" | "timeStamping";

/**
 * Checks that a leaf certificate is for its purpose and has a path to a trusted root in which every certificate is valid
 * at the time, is a CA where it has to be, and respects the path length (RFC 5280 §6.1; policies are not used, and a CA
 * with name constraints is not accepted).
 *
 * @param options.leaf DER
 * @throws TsignError "untrusted" saying which check failed
 */
export function verifyCertificatePath(options: {
  leaf: Uint8Array;
  authorities: CertificateAuthorities;
  at: Date;
  purpose?: Purpose;
}): CertificatePath {
  const { authorities, at, purpose = "codeSigning" } = options;
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
  const pool = {
    roots: authorities.roots.map(parseCertificate),
    intermediates: authorities.intermediates.map(parseCertificate),
    at,
    purpose,
  };
  const issuer = issuerOf([leaf], pool);
  if (!issuer) throw new TsignError("untrusted", "the certificate has no valid path to a trusted root");
  return { leaf, issuer };
}

/** A signing certificate names its use among others, a timestamp authority's names its one alone, as critical. */
function isFor({ native, asn1 }: Certificate, purpose: Purpose): boolean {
  const usages = native.keyUsage ?? []; // extended key usage, as OIDs
  if (purpose === "codeSigning") return usages.some((usage) => allows(usage, purpose));
  const critical = asn1.extension(OID.extendedKeyUsage)?.critical ?? false;
  return critical && usages.length === 1 && usages[0] === OID.timeStamping;
}

interface Pool {
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly at: Date;
  readonly purpose: Purpose;
}

/** Who issued the last certificate, if a path leads on from there to a root: a depth-first search. */
function issuerOf(path: readonly Certificate[], pool: Pool): Certificate | undefined {
  const last = path.at(-1);
  if (!last || path.length > MAX_PATH) return undefined;
  const mayIssue = (candidate: Certificate) => issued(candidate, last) && isAuthority(candidate, path.length - 1, pool);
  const root = pool.roots.find(mayIssue);
  if (root) return root;
  return pool.intermediates
    .filter((next) => mayIssue(next) && !path.some((known) => known.native.raw.equals(next.native.raw)))
    .find((next) => issuerOf([...path, next], pool) !== undefined);
}

function issued(issuer: Certificate, subject: Certificate): boolean {
  if (!SIGNATURES.has(subject.native.signatureAlgorithmOid ?? "")) return false;
  return subject.native.checkIssued(issuer.native) && subject.native.verify(issuer.native.publicKey);
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
