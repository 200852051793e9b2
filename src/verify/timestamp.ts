import { createHash, type KeyObject, verify as verifyBytes, X509Certificate } from "node:crypto";
import { ASN1Obj } from "@sigstore/core";
import { TsignError } from "../errors.ts";
import { type HashName, hash } from "../format/digest.ts";
import { verifyCertificatePath } from "../trust/certificate-path.ts";
import { isWithin, type TimestampAuthority } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";

const OID = {
  signedData: "1.2.840.113549.1.7.2",
  tstInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.12",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
} as const;
const HASHES: Readonly<Record<string, HashName>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
/** Signature algorithms and the hash they fix; null leaves it to the digest algorithm (RSA), false to the key (Ed25519). */
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

/** What a TimeStampResp holds, before anything of it is believed. */
interface Token {
  readonly time: Date;
  readonly imprint: { readonly algorithm: HashName; readonly digest: Uint8Array };
  /** DER of TSTInfo. */
  readonly info: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly signer: { readonly issuer: Uint8Array; readonly serial: Uint8Array };
  readonly digestAlgorithm: HashName;
  readonly attributes: ASN1Obj;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/**
 * The time a signed timestamp gives a message, once it holds: granted, over this message, signed by the one signer it
 * names, who is trusted as a timestamp authority at that very time (RFC 3161 §2.4.2, RFC 5652 §5).
 *
 * @param response DER TimeStampResp
 * @param messages what may have been timestamped: the signature, or what holds it
 * @returns undefined when no trusted authority is the signer, which says nothing about the message
 * @throws CheckFailed for a token in a trusted authority's name that does not hold, and for one that cannot be read
 */
export function verifyTimestamp(
  response: Uint8Array,
  messages: readonly Uint8Array[],
  authorities: readonly TimestampAuthority[],
): Date | undefined {
  const token = readToken(response);
  let failure: CheckFailed | undefined;
  for (const authority of authorities) {
    try {
      const leaf = signingCertificate(token, authority);
      if (!leaf) continue;
      verifyToken(token, { leaf, authority, messages });
      return token.time;
    } catch (error) {
      if (!(error instanceof TsignError) && !(error instanceof CheckFailed)) throw error;
      failure = new CheckFailed("time", `the signed timestamp does not hold: ${error.message}`);
    }
  }
  if (failure) throw failure;
  return undefined;
}

function verifyToken(
  token: Token,
  by: { leaf: X509Certificate; authority: TimestampAuthority; messages: readonly Uint8Array[] },
): void {
  const { leaf, authority, messages } = by;
  if (!isWithin(authority.validFor, token.time)) {
    throw new CheckFailed("time", `its authority is not trusted for ${token.time.toISOString()}`);
  }
  verifyCertificatePath({ leaf: leaf.raw, authorities: authority, at: token.time, purpose: "timeStamping" });
  const { algorithm, digest } = token.imprint;
  if (!messages.some((message) => Buffer.compare(hash(algorithm, message), digest) === 0)) {
    throw new CheckFailed("time", "it is over another signature");
  }
  verifyAttributes(token, leaf);
  if (!isSigned(token, leaf.publicKey)) throw new CheckFailed("time", "its own signature is wrong");
}

/**
 * The certificate of the signer the token names: the authority's own, or, where that is not known, one that came along.
 * Never just any certificate of the token's (CVE-2026-39984).
 */
function signingCertificate(token: Token, authority: TimestampAuthority): X509Certificate | undefined {
  const candidates = authority.leaf ? [authority.leaf] : token.certificates;
  for (const der of candidates) {
    const { tbs } = readCertificate(der);
    const serial = tbs.find((each) => each.tag.isInteger());
    const issuer = serial && tbs[tbs.indexOf(serial) + 2];
    const isSigner =
      serial?.value.equals(token.signer.serial) && issuer && Buffer.compare(issuer.toDER(), token.signer.issuer) === 0;
    if (isSigner) return new X509Certificate(der);
  }
  return undefined;
}

/** The fields of a certificate's tbsCertificate (RFC 5280 §4.1); none of what is no certificate. */
function readCertificate(der: Uint8Array): { tbs: readonly ASN1Obj[] } {
  try {
    new X509Certificate(der);
    return { tbs: ASN1Obj.parseBuffer(Buffer.from(der)).subs[0]?.subs ?? [] };
  } catch {
    return { tbs: [] };
  }
}

/** The signed attributes must be about this TSTInfo, and about this signer where they say so (RFC 5035 §3). */
function verifyAttributes(token: Token, leaf: X509Certificate): void {
  const attribute = (oid: string): ASN1Obj | undefined => {
    const found = token.attributes.subs.filter((each) => each.subs[0]?.toOID() === oid);
    if (found.length > 1) throw new CheckFailed("time", "it has an attribute twice");
    return found[0]?.subs[1]?.subs[0];
  };
  if (attribute(OID.contentType)?.toOID() !== OID.tstInfo) throw new CheckFailed("time", "its content is no timestamp");
  const digest = attribute(OID.messageDigest)?.value;
  if (!digest?.equals(hash(token.digestAlgorithm, token.info))) {
    throw new CheckFailed("time", "what is signed is not what it says");
  }
  const [v2] = attribute(OID.signingCertificateV2)?.subs[0]?.subs ?? [];
  const [v1] = attribute(OID.signingCertificate)?.subs[0]?.subs ?? [];
  if (v2) requireCertificateHash(v2, leaf, "sha256");
  else if (v1) requireCertificateHash(v1, leaf, "sha1");
}

function requireCertificateHash(id: ASN1Obj, leaf: X509Certificate, usual: "sha256" | "sha1"): void {
  const named = id.subs[0]?.tag.isOctetString() ? undefined : id.subs[0]?.subs[0]?.toOID();
  const algorithm = named === undefined ? usual : HASHES[named];
  const stated = id.subs.find((each) => each.tag.isOctetString())?.value;
  if (!algorithm || !stated?.equals(createHash(algorithm).update(leaf.raw).digest())) {
    throw new CheckFailed("time", "it names another signing certificate");
  }
}

function isSigned(token: Token, key: KeyObject): boolean {
  const fixed = SIGNATURES[token.signatureAlgorithm];
  if (fixed === undefined) return false;
  const signed = Buffer.from(token.attributes.toDER());
  signed[0] = 0x31; // signed as a SET OF, whatever tag it has in the message (RFC 5652 §5.4)
  try {
    return verifyBytes(fixed === false ? null : (fixed ?? token.digestAlgorithm), signed, key, token.signature);
  } catch {
    return false; // an encoding OpenSSL refuses
  }
}

/** @throws CheckFailed */
function readToken(response: Uint8Array): Token {
  try {
    return parseToken(response);
  } catch (cause) {
    const reason = cause instanceof CheckFailed ? cause.message : "it cannot be read";
    throw new CheckFailed("time", `the signed timestamp does not hold: ${reason}`);
  }
}

function parseToken(response: Uint8Array): Token {
  const root = ASN1Obj.parseBuffer(Buffer.from(response));
  const status = at(root, 0, 0).toInteger();
  if (status !== 0n && status !== 1n) throw new CheckFailed("time", "the authority did not grant it");
  const content = at(root, 1);
  if (at(content, 0).toOID() !== OID.signedData) throw new CheckFailed("time", "it holds no signed data");
  const signedData = at(content, 1, 0);
  const encapsulated = at(signedData, 2);
  if (at(encapsulated, 0).toOID() !== OID.tstInfo) throw new CheckFailed("time", "its content is no timestamp");
  const info = Buffer.from(at(encapsulated, 1, 0).value);
  const signers = signedData.subs.at(-1)?.subs ?? [];
  const [signer] = signers;
  if (!signer || signers.length !== 1) throw new CheckFailed("time", "it has not one signer");
  const tst = ASN1Obj.parseBuffer(info);
  const attributes = at(signer, 3);
  if (!attributes.tag.isContextSpecific(0)) throw new CheckFailed("time", "its signer signed no attributes");
  return {
    time: at(tst, 4).toDate(),
    imprint: { algorithm: readHash(at(tst, 2, 0, 0)), digest: at(tst, 2, 1).value },
    info,
    certificates: certificatesOf(signedData),
    signer: { issuer: at(signer, 1, 0).toDER(), serial: at(signer, 1, 1).value },
    digestAlgorithm: readHash(at(signer, 2, 0)),
    attributes,
    signatureAlgorithm: at(signer, 4, 0).toOID(),
    signature: at(signer, 5).value,
  };
}

function certificatesOf(signedData: ASN1Obj): Uint8Array[] {
  const set = signedData.subs.slice(3).find((each) => each.tag.isContextSpecific(0));
  return (set?.subs ?? []).map((each) => each.toDER());
}

function readHash(oid: ASN1Obj): HashName {
  const name = HASHES[oid.toOID()];
  if (!name) throw new CheckFailed("time", "it uses a hash that is not accepted");
  return name;
}

/** The object at a path of positions. */
function at(object: ASN1Obj, ...path: number[]): ASN1Obj {
  let found: ASN1Obj | undefined = object;
  for (const position of path) found = found?.subs[position];
  if (!found) throw new CheckFailed("time", "it cannot be read");
  return found;
}
