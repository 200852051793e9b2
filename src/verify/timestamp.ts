import { createHash, type KeyObject, verify as verifyBytes, X509Certificate } from "node:crypto";
import { ASN1Obj } from "@sigstore/core";
import { TsignError } from "../errors.ts";
import { byContent } from "../format/by-content.ts";
import { sameBytes } from "../format/bytes.ts";
import { encodeDer } from "../format/der.ts";
import { type HashName, hash } from "../format/digest.ts";
import { parseCertificate } from "../trust/certificate.ts";
import { verifyCertificatePath } from "../trust/certificate-path.ts";
import { isWithin, type TimestampAuthority } from "../trust/material.ts";
import { isSignedBy } from "../trust/signed-by.ts";
import { CheckFailed } from "./model.ts";
import { readHash, readToken, type Token } from "./timestamp-token.ts";

const OID = {
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.12",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
} as const;
/** The hash of each signature algorithm; null: that of the digest algorithm (RSA), false: none (Ed25519). */
const SIGNATURES: Readonly<Record<string, HashName | null | false>> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.113549.1.1.1": null,
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.3.101.112": false,
};

/**
 * Verifies a signed timestamp (RFC 3161 §2.4.2, RFC 5652 §5): granted, over one of the messages, and signed by an authority that
 * was trusted at the timestamp's own time.
 *
 * @param response DER TimeStampResp
 * @param messages what may have been timestamped: the signature, or the envelope that contains it
 * @returns the time and the authority; undefined if the signer is not a trusted authority
 * @throws CheckFailed "time" for a malformed response, and for an invalid one that names a trusted authority
 */
export function verifyTimestamp(
  response: Uint8Array,
  messages: readonly Uint8Array[],
  authorities: readonly TimestampAuthority[],
): { time: Date; authority: TimestampAuthority } | undefined {
  const token = readToken(response);
  let failure: CheckFailed | undefined;
  for (const authority of authorities) {
    try {
      const leaf = signingCertificate(token, authority);
      if (!leaf) continue;
      verifyToken(token, { leaf, authority, messages });
      return { time: token.time, authority };
    } catch (error) {
      if (!(error instanceof TsignError) && !(error instanceof CheckFailed)) throw error;
      failure = new CheckFailed("time", `invalid signed timestamp: ${error.message}`);
    }
  }
  if (failure) throw failure;
  return undefined;
}

function verifyToken(
  token: Token,
  options: { leaf: X509Certificate; authority: TimestampAuthority; messages: readonly Uint8Array[] },
): void {
  const { leaf, authority, messages } = options;
  if (!isWithin(authority.validFor, token.time)) {
    throw new CheckFailed("time", `authority is not trusted at ${token.time.toISOString()}`);
  }
  verifyCertificatePath({ leaf: leaf.raw, authorities: authority, at: token.time, purpose: "timeStamping" });
  const { algorithm, digest } = token.imprint;
  if (!messages.some((message) => sameBytes(hash(algorithm, message), digest))) {
    throw new CheckFailed("time", "made for a different signature");
  }
  if (!isSigned(token, leaf.publicKey)) throw new CheckFailed("time", "invalid signature of the authority");
  verifyAttributes(token, leaf);
  requireKnownCertificates(token, leaf, authority);
}

/**
 * Refuses unknown certificates in a token. The token's signature does not cover its certificates, so each must be one of the
 * authority's, byte for byte, or be issued by one of them; otherwise anyone could add certificates to a verified token.
 */
function requireKnownCertificates(token: Token, leaf: X509Certificate, authority: TimestampAuthority): void {
  const { roots, intermediates } = authority;
  const known = [leaf.raw, ...intermediates, ...roots].map(parseCertificate);
  let unknown = token.certificates.filter((der) => !known.some(({ native }) => native.raw.equals(der)));
  if (new Set(token.certificates.map((der) => Buffer.from(der).toString("hex"))).size < token.certificates.length) {
    throw new CheckFailed("time", "duplicate certificate");
  }
  while (unknown.length > 0) {
    const issued = unknown.filter((der) => {
      const certificate = parseCertificate(der);
      return known.some((each) => sameBytes(each.subject, certificate.issuer) && isSignedBy(certificate, each));
    });
    if (issued.length === 0) throw new CheckFailed("time", "contains a certificate that is not from its authority");
    known.push(...issued.map(parseCertificate));
    unknown = unknown.filter((der) => !issued.includes(der));
  }
}

/**
 * The certificate of the signer that the token names: the authority's, or, if that is not known, one in the token. It must
 * match the signer's issuer and serial number; taking any certificate of the token was CVE-2026-39984.
 */
function signingCertificate(token: Token, authority: TimestampAuthority): X509Certificate | undefined {
  const candidates = authority.leaf ? [authority.leaf] : token.certificates;
  for (const der of candidates) {
    const found = readSigner(der);
    if (!found) continue;
    const { serial, issuer, certificate } = found;
    if (sameBytes(serial, token.signer.serial) && sameBytes(issuer, token.signer.issuer)) return certificate;
  }
  return undefined;
}

/** The serial number and the issuer's DER of a certificate (RFC 5280 §4.1); undefined for a malformed certificate. */
const readSigner = byContent((der) => {
  try {
    const certificate = new X509Certificate(der);
    const tbs = ASN1Obj.parseBuffer(Buffer.from(der)).subs[0]?.subs ?? [];
    const serial = tbs.find((each) => each.tag.isInteger());
    const name = serial && tbs[tbs.indexOf(serial) + 2];
    const issuer = name && encodeDer(name.tag.toDER(), name.value);
    return issuer && { certificate, serial: serial.value, issuer };
  } catch {
    return undefined;
  }
});

/** Checks that the signed attributes match the TSTInfo, and the signer's certificate if they name one (RFC 5035 §3). */
function verifyAttributes(token: Token, leaf: X509Certificate): void {
  const attribute = (oid: string) => token.attributes.get(oid);
  const digest = attribute(OID.messageDigest)?.value;
  if (!digest?.equals(hash(token.digestAlgorithm, token.info))) {
    throw new CheckFailed("time", "messageDigest attribute does not match the content");
  }
  const [v2] = attribute(OID.signingCertificateV2)?.subs[0]?.subs ?? [];
  const [v1] = attribute(OID.signingCertificate)?.subs[0]?.subs ?? [];
  if (v2) requireCertificateHash(v2, leaf, "sha256");
  else if (v1) requireCertificateHash(v1, leaf, "sha1");
}

function requireCertificateHash(id: ASN1Obj, leaf: X509Certificate, byDefault: "sha256" | "sha1"): void {
  const [first] = id.subs;
  const algorithm = first && !first.tag.isOctetString() ? readHash(first) : byDefault;
  const stated = id.subs.find((each) => each.tag.isOctetString())?.value;
  if (!stated?.equals(createHash(algorithm).update(leaf.raw).digest())) {
    throw new CheckFailed("time", "signing certificate attribute is for a different certificate");
  }
}

function isSigned(token: Token, key: KeyObject): boolean {
  const fixed = SIGNATURES[token.signatureAlgorithm];
  if (fixed === undefined) return false;
  try {
    return verifyBytes(fixed === false ? null : (fixed ?? token.digestAlgorithm), token.signed, key, token.signature);
  } catch {
    return false; // OpenSSL refuses the signature's encoding
  }
}
