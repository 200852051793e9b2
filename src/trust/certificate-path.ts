import { X509Certificate } from "node:crypto";
import { X509Certificate as Asn1Certificate } from "@sigstore/core";
import { TsignError } from "../errors.ts";

const OID = { codeSigning: "1.3.6.1.5.5.7.3.3", anyUsage: "2.5.29.37.0", nameConstraints: "2.5.29.30" } as const;
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
    return { native: new X509Certificate(der), asn1: Asn1Certificate.parse(Buffer.from(der)) };
  } catch (cause) {
    throw new TsignError("untrusted", "a certificate cannot be read", { cause });
  }
}

/**
 * Checks that a leaf certificate is for code signing and has a path to a trusted root in which every certificate is valid
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
}): Certificate {
  const { authorities, at } = options;
  const leaf = parseCertificate(options.leaf);
  if (authorities.roots.length === 0) throw new TsignError("untrusted", "no certificate authority is trusted");
  if (!isValidAt(leaf.native, at)) {
    const { validFrom, validTo } = leaf.native;
    throw new TsignError(
      "untrusted",
      `the certificate is valid from ${validFrom} to ${validTo}, not at ${at.toISOString()}`,
    );
  }
  const usages = leaf.native.keyUsage ?? []; // extended key usage, as OIDs
  if (leaf.native.ca || !usages.some(allowsCodeSigning)) {
    throw new TsignError("untrusted", "the certificate is not for code signing");
  }
  const pool = {
    roots: authorities.roots.map(parseCertificate),
    intermediates: authorities.intermediates.map(parseCertificate),
    at,
  };
  if (!reachesRoot([leaf], pool)) {
    throw new TsignError("untrusted", "the certificate has no valid path to a trusted root");
  }
  return leaf;
}

interface Pool {
  readonly roots: readonly Certificate[];
  readonly intermediates: readonly Certificate[];
  readonly at: Date;
}

/** Depth-first search for a path from the last certificate to a root. */
function reachesRoot(path: readonly Certificate[], pool: Pool): boolean {
  const last = path.at(-1);
  if (!last || path.length > MAX_PATH) return false;
  const mayIssue = (candidate: Certificate) =>
    issued(candidate, last) && isAuthority(candidate, path.length - 1, pool.at);
  if (pool.roots.some(mayIssue)) return true;
  return pool.intermediates
    .filter((next) => mayIssue(next) && !path.some((known) => known.native.raw.equals(next.native.raw)))
    .some((next) => reachesRoot([...path, next], pool));
}

function issued(issuer: Certificate, subject: Certificate): boolean {
  return subject.native.checkIssued(issuer.native) && subject.native.verify(issuer.native.publicKey);
}

/** @param below how many CA certificates lie between it and the leaf */
function isAuthority({ native, asn1 }: Certificate, below: number, at: Date): boolean {
  const limit = asn1.extBasicConstraints?.pathLenConstraint;
  const usages = native.keyUsage ?? [];
  return (
    native.ca &&
    isValidAt(native, at) &&
    (limit === undefined || Number(limit) >= below) &&
    (usages.length === 0 || usages.some(allowsCodeSigning)) &&
    asn1.extension(OID.nameConstraints) === undefined
  );
}

function allowsCodeSigning(usage: string): boolean {
  return usage === OID.codeSigning || usage === OID.anyUsage;
}

function isValidAt(certificate: X509Certificate, time: Date): boolean {
  return certificate.validFromDate <= time && time <= certificate.validToDate;
}
