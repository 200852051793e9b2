import { ASN1Obj } from "@sigstore/core";
import { requireDer } from "../format/der.ts";
import type { HashName } from "../format/digest.ts";
import { CheckFailed } from "./model.ts";

const SIGNED_DATA = "1.2.840.113549.1.7.2";
/** What a token's content is, and its contentType attribute says (RFC 3161 §2.4.2). */
const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";

const HASHES: Readonly<Record<string, HashName>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** First bytes of DER: universal types, and context tags that hold something. */
const TAG = { integer: 0x02, octets: 0x04, none: 0x05, oid: 0x06, sequence: 0x30, set: 0x31, tag0: 0xa0 } as const;
/** GeneralizedTime. */
const TIME = 0x18;
const UTF8 = 0x0c;
/** PKIStatus "granted"; cosign takes no other. */
const GRANTED = 0n;

/** What a TimeStampResp holds, before anything of it is believed. */
export interface Token {
  readonly time: Date;
  readonly imprint: { readonly algorithm: HashName; readonly digest: Uint8Array };
  /** DER of TSTInfo. */
  readonly info: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly signer: { readonly issuer: Uint8Array; readonly serial: Uint8Array };
  readonly digestAlgorithm: HashName;
  /** The signed attributes by OID, each with its one value. */
  readonly attributes: ReadonlyMap<string, ASN1Obj>;
  /** DER of the attributes as they are signed: a SET OF, whatever tag they have in the message (RFC 5652 §5.4). */
  readonly signed: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/** Largest TimeStampResp that is read, in bytes; real ones have up to ten thousand. */
const MAX_RESPONSE = 128 * 1024;
/** Certificates that a token may bring: its signer's and what is above it. */
const MAX_CERTIFICATES = 16;

/**
 * Reads a TimeStampResp (RFC 3161 §2.4.2, RFC 5652 §5.1). What the token's signature does not cover is read strictly too, and
 * what nobody would check is refused (revocation lists, unsigned attributes), so that a changed byte is noticed wherever it is.
 * Whether the certificates are those of the authority is left to `verifyTimestamp`.
 *
 * @param response DER
 * @throws CheckFailed
 */
export function readToken(response: Uint8Array): Token {
  try {
    return parseToken(response);
  } catch (cause) {
    const reason = cause instanceof CheckFailed ? cause.message : "it cannot be read";
    throw new CheckFailed("time", `the signed timestamp does not hold: ${reason}`);
  }
}

function parseToken(response: Uint8Array): Token {
  if (response.length > MAX_RESPONSE) throw new CheckFailed("time", `it is larger than ${MAX_RESPONSE / 1024} KiB`);
  requireDer(response);
  const [status, content] = only(ASN1Obj.parseBuffer(Buffer.from(response)), TAG.sequence, 2);
  requireGranted(status);
  const [type, wrapped] = only(content, TAG.sequence, 2);
  if (tagged(type, TAG.oid).toOID() !== SIGNED_DATA) throw new CheckFailed("time", "it holds no signed data");
  const [signedData] = only(wrapped, TAG.tag0, 1);
  const [version, digests, encapsulated, ...more] = subs(signedData, TAG.sequence);
  if (tagged(version, TAG.integer).toInteger() !== 3n) throw new CheckFailed("time", "it is of an unknown version");
  const [contentType, octets] = only(encapsulated, TAG.sequence, 2);
  if (tagged(contentType, TAG.oid).toOID() !== TST_INFO) throw new CheckFailed("time", "its content is no timestamp");
  const info = Buffer.from(tagged(only(octets, TAG.tag0, 1)[0], TAG.octets).value);
  const [signer, ...signers] = subs(more.pop(), TAG.set);
  if (!signer || signers.length > 0) throw new CheckFailed("time", "it has not one signer");
  const digestAlgorithm = readHash(at(signer, TAG.sequence, 2));
  if (readHash(only(digests, TAG.set, 1)[0]) !== digestAlgorithm) {
    throw new CheckFailed("time", "its signer uses a hash that it does not list");
  }
  return {
    ...readInfo(info),
    info,
    certificates: certificatesOf(more),
    digestAlgorithm,
    ...readSigner(signer),
  };
}

/** PKIStatusInfo: granted, with no more than a text for people. */
function requireGranted(statusInfo: ASN1Obj | undefined): void {
  const [status, text, ...more] = subs(statusInfo, TAG.sequence);
  if (tagged(status, TAG.integer).toInteger() !== GRANTED || more.length > 0) {
    throw new CheckFailed("time", "the authority did not grant it");
  }
  if (text) for (const each of subs(text, TAG.sequence)) tagged(each, UTF8);
}

/** TSTInfo: version, policy, imprint, serial number, time. */
function readInfo(info: Uint8Array): Pick<Token, "time" | "imprint"> {
  const [version, , imprint, , genTime] = subs(ASN1Obj.parseBuffer(Buffer.from(info)), TAG.sequence);
  if (tagged(version, TAG.integer).toInteger() !== 1n) throw new CheckFailed("time", "it is of an unknown version");
  const time = tagged(genTime, TIME).toDate();
  if (Number.isNaN(time.getTime())) throw new CheckFailed("time", "its time is none");
  const digest = tagged(at(imprint, TAG.sequence, 1), TAG.octets).value;
  return { time, imprint: { algorithm: readHash(at(imprint, TAG.sequence, 0)), digest } };
}

/** SignerInfo of RFC 5652 §5.3, the signer named by issuer and serial number. */
function readSigner(
  signer: ASN1Obj,
): Pick<Token, "signer" | "attributes" | "signed" | "signatureAlgorithm" | "signature"> {
  const [version, id, , attributes, algorithm, signature, ...unsigned] = subs(signer, TAG.sequence);
  if (tagged(version, TAG.integer).toInteger() !== 1n)
    throw new CheckFailed("time", "its signer is of an unknown version");
  if (attributes?.tag.toDER() !== TAG.tag0) throw new CheckFailed("time", "its signer signed no attributes");
  if (unsigned.length > 0) throw new CheckFailed("time", "it has attributes that are not signed");
  const signed = Buffer.from(attributes.toDER());
  signed[0] = TAG.set;
  const [issuer, serial] = only(id, TAG.sequence, 2);
  return {
    signer: { issuer: tagged(issuer, TAG.sequence).toDER(), serial: tagged(serial, TAG.integer).value },
    attributes: readAttributes(attributes),
    signed,
    signatureAlgorithm: readAlgorithm(algorithm),
    signature: tagged(signature, TAG.octets).value,
  };
}

function readAttributes(attributes: ASN1Obj): ReadonlyMap<string, ASN1Obj> {
  const found = new Map<string, ASN1Obj>();
  for (const each of attributes.subs) {
    const [type, values] = only(each, TAG.sequence, 2);
    const oid = tagged(type, TAG.oid).toOID();
    if (found.has(oid)) throw new CheckFailed("time", "it has an attribute twice");
    found.set(oid, at(values, TAG.set, 0));
  }
  if (tagged(found.get(CONTENT_TYPE), TAG.oid).toOID() !== TST_INFO) {
    throw new CheckFailed("time", "its content is no timestamp");
  }
  return found;
}

/** @param others what stands between the content and the signers: certificates, and lists of revoked ones (RFC 5652 §5.1) */
function certificatesOf(others: readonly ASN1Obj[]): Uint8Array[] {
  const [set, ...more] = others;
  if (more.length > 0) throw new CheckFailed("time", "it has more than certificates beside its content");
  const certificates = set ? subs(set, TAG.tag0).map((each) => tagged(each, TAG.sequence).toDER()) : [];
  if (certificates.length > MAX_CERTIFICATES) {
    throw new CheckFailed("time", `it has more than ${MAX_CERTIFICATES} certificates`);
  }
  return certificates;
}

/**
 * The hash an AlgorithmIdentifier names: its parameters are NULL or left out (RFC 5754 §2).
 *
 * @throws CheckFailed for what is no AlgorithmIdentifier, and a hash that is too weak or not known
 */
export function readHash(algorithm: ASN1Obj | undefined): HashName {
  const name = HASHES[readAlgorithm(algorithm)];
  if (!name) throw new CheckFailed("time", "it uses a hash that is not accepted");
  return name;
}

/** @returns the OID of an AlgorithmIdentifier whose parameters are NULL or left out */
function readAlgorithm(algorithm: ASN1Obj | undefined): string {
  const [oid, parameters, ...more] = subs(algorithm, TAG.sequence);
  if (more.length > 0 || (parameters && tagged(parameters, TAG.none).value.length > 0)) {
    throw new CheckFailed("time", "it cannot be read");
  }
  return tagged(oid, TAG.oid).toOID();
}

/** The members of something that has the tag, and so many of them. */
function only(object: ASN1Obj | undefined, tag: number, count: number): readonly ASN1Obj[] {
  const found = subs(object, tag);
  if (found.length !== count) throw new CheckFailed("time", "it cannot be read");
  return found;
}

/** The member at a position of something that has the tag. */
function at(object: ASN1Obj | undefined, tag: number, position: number): ASN1Obj {
  const found = subs(object, tag)[position];
  if (!found) throw new CheckFailed("time", "it cannot be read");
  return found;
}

function subs(object: ASN1Obj | undefined, tag: number): readonly ASN1Obj[] {
  return tagged(object, tag).subs;
}

function tagged(object: ASN1Obj | undefined, tag: number): ASN1Obj {
  if (object?.tag.toDER() !== tag) throw new CheckFailed("time", "it cannot be read");
  return object;
}
