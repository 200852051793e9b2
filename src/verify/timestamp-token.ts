import { ASN1Obj } from "@sigstore/core";
import { encodeDer, requireDer } from "../format/der.ts";
import type { HashName } from "../format/digest.ts";
import { CheckFailed } from "./model.ts";

const SIGNED_DATA = "1.2.840.113549.1.7.2";
/** Content type of a token, stated twice: in SignedData and in the contentType attribute (RFC 3161 §2.4.2). */
const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";

const HASHES: Readonly<Record<string, HashName>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** Identifier octets of DER. */
const TAG = { integer: 0x02, octets: 0x04, none: 0x05, oid: 0x06, sequence: 0x30, set: 0x31, tag0: 0xa0 } as const;
/** GeneralizedTime. */
const TIME = 0x18;
const UTF8 = 0x0c;
const MALFORMED = "malformed response";
/** PKIStatus "granted", the only one that cosign accepts. */
const GRANTED = 0n;

/** A parsed TimeStampResp, not verified. */
export interface Token {
  readonly time: Date;
  readonly imprint: { readonly algorithm: HashName; readonly digest: Uint8Array };
  /** DER of TSTInfo. */
  readonly info: Uint8Array;
  readonly certificates: readonly Uint8Array[];
  readonly signer: { readonly issuer: Uint8Array; readonly serial: Uint8Array };
  readonly digestAlgorithm: HashName;
  /** The signed attributes by OID, each with its single value. */
  readonly attributes: ReadonlyMap<string, ASN1Obj>;
  /** DER of the signed attributes, encoded as SET OF for the signature (RFC 5652 §5.4). */
  readonly signed: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/** Largest TimeStampResp, in bytes; real ones have up to ten thousand. */
const MAX_RESPONSE = 128 * 1024;
/** Most certificates in a token. */
const MAX_CERTIFICATES = 16;

/**
 * Parses a TimeStampResp (RFC 3161 §2.4.2, RFC 5652 §5.1). Parts that the token's signature does not cover are parsed strictly,
 * and parts that no later check covers are refused (revocation lists, unsigned attributes), so that any changed byte is noticed.
 * `verifyTimestamp` checks that the certificates are the authority's.
 *
 * @param response DER
 * @throws CheckFailed "time"
 */
export function readToken(response: Uint8Array): Token {
  try {
    return parseToken(response);
  } catch (cause) {
    const reason = cause instanceof CheckFailed ? cause.message : MALFORMED;
    throw new CheckFailed("time", `invalid signed timestamp: ${reason}`);
  }
}

function parseToken(response: Uint8Array): Token {
  if (response.length > MAX_RESPONSE) throw new CheckFailed("time", `larger than ${MAX_RESPONSE / 1024} KiB`);
  requireDer(response);
  const [status, content] = members(ASN1Obj.parseBuffer(Buffer.from(response)), TAG.sequence, 2);
  requireGranted(status);
  const [type, wrapped] = members(content, TAG.sequence, 2);
  if (tagged(type, TAG.oid).toOID() !== SIGNED_DATA) throw new CheckFailed("time", "content is not SignedData");
  const [signedData] = members(wrapped, TAG.tag0, 1);
  const [version, digests, encapsulated, ...more] = subs(signedData, TAG.sequence);
  if (tagged(version, TAG.integer).toInteger() !== 3n) throw new CheckFailed("time", "unknown SignedData version");
  const [contentType, octets] = members(encapsulated, TAG.sequence, 2);
  if (tagged(contentType, TAG.oid).toOID() !== TST_INFO) throw new CheckFailed("time", "content is not a TSTInfo");
  const info = Buffer.from(tagged(members(octets, TAG.tag0, 1)[0], TAG.octets).value);
  const [signer, ...signers] = subs(more.pop(), TAG.set);
  if (!signer || signers.length > 0) {
    throw new CheckFailed("time", `expected one signer, found ${signer ? signers.length + 1 : "none"}`);
  }
  const digestAlgorithm = readHash(at(signer, TAG.sequence, 2));
  if (readHash(members(digests, TAG.set, 1)[0]) !== digestAlgorithm) {
    throw new CheckFailed("time", "signer's hash algorithm is not listed in digestAlgorithms");
  }
  return {
    ...readInfo(info),
    info,
    certificates: certificatesOf(more),
    digestAlgorithm,
    ...readSigner(signer),
  };
}

/** Checks PKIStatusInfo: status granted, with at most a free text. */
function requireGranted(statusInfo: ASN1Obj | undefined): void {
  const [status, text, ...more] = subs(statusInfo, TAG.sequence);
  if (tagged(status, TAG.integer).toInteger() !== GRANTED || more.length > 0) {
    throw new CheckFailed("time", "request was not granted");
  }
  if (text) for (const each of subs(text, TAG.sequence)) tagged(each, UTF8);
}

/** TSTInfo: version, policy, imprint, serial number, time. */
function readInfo(info: Uint8Array): Pick<Token, "time" | "imprint"> {
  const [version, , imprint, , genTime] = subs(ASN1Obj.parseBuffer(Buffer.from(info)), TAG.sequence);
  if (tagged(version, TAG.integer).toInteger() !== 1n) throw new CheckFailed("time", "unknown TSTInfo version");
  const time = tagged(genTime, TIME).toDate();
  if (Number.isNaN(time.getTime())) throw new CheckFailed("time", "invalid genTime");
  const digest = tagged(at(imprint, TAG.sequence, 1), TAG.octets).value;
  return { time, imprint: { algorithm: readHash(at(imprint, TAG.sequence, 0)), digest } };
}

/** SignerInfo (RFC 5652 §5.3) that names its signer by issuer and serial number. */
function readSigner(
  signer: ASN1Obj,
): Pick<Token, "signer" | "attributes" | "signed" | "signatureAlgorithm" | "signature"> {
  const [version, id, , attributes, algorithm, signature, ...unsigned] = subs(signer, TAG.sequence);
  if (tagged(version, TAG.integer).toInteger() !== 1n) throw new CheckFailed("time", "unknown SignerInfo version");
  if (attributes?.tag.toDER() !== TAG.tag0) throw new CheckFailed("time", "missing signed attributes");
  if (unsigned.length > 0) throw new CheckFailed("time", "unexpected unsigned attributes");
  const signed = encodeDer(TAG.set, attributes.value);
  const [issuer, serial] = members(id, TAG.sequence, 2);
  return {
    signer: {
      issuer: encodeDer(TAG.sequence, tagged(issuer, TAG.sequence).value),
      serial: tagged(serial, TAG.integer).value,
    },
    attributes: readAttributes(attributes),
    signed,
    signatureAlgorithm: readAlgorithm(algorithm),
    signature: tagged(signature, TAG.octets).value,
  };
}

function readAttributes(attributes: ASN1Obj): ReadonlyMap<string, ASN1Obj> {
  const found = new Map<string, ASN1Obj>();
  for (const each of attributes.subs) {
    const [type, values] = members(each, TAG.sequence, 2);
    const oid = tagged(type, TAG.oid).toOID();
    if (found.has(oid)) throw new CheckFailed("time", "duplicate attribute");
    found.set(oid, at(values, TAG.set, 0));
  }
  if (tagged(found.get(CONTENT_TYPE), TAG.oid).toOID() !== TST_INFO) {
    throw new CheckFailed("time", "content is not a TSTInfo");
  }
  return found;
}

/** @param others the fields between content and signers: certificates, and revocation lists (RFC 5652 §5.1) */
function certificatesOf(others: readonly ASN1Obj[]): Uint8Array[] {
  const [set, ...more] = others;
  if (more.length > 0) throw new CheckFailed("time", "unexpected revocation lists");
  const certificates = set
    ? subs(set, TAG.tag0).map((each) => encodeDer(TAG.sequence, tagged(each, TAG.sequence).value))
    : [];
  if (certificates.length > MAX_CERTIFICATES) {
    throw new CheckFailed("time", `more than ${MAX_CERTIFICATES} certificates`);
  }
  return certificates;
}

/**
 * The hash of an AlgorithmIdentifier without parameters, or with NULL (RFC 5754 §2).
 *
 * @throws CheckFailed "time" for a malformed AlgorithmIdentifier, and a weak or unknown hash
 */
export function readHash(algorithm: ASN1Obj | undefined): HashName {
  const name = HASHES[readAlgorithm(algorithm)];
  if (!name) throw new CheckFailed("time", "unsupported hash algorithm");
  return name;
}

/** The OID of an AlgorithmIdentifier whose parameters are missing or NULL. */
function readAlgorithm(algorithm: ASN1Obj | undefined): string {
  const [oid, parameters, ...more] = subs(algorithm, TAG.sequence);
  if (more.length > 0 || (parameters && tagged(parameters, TAG.none).value.length > 0)) {
    throw new CheckFailed("time", MALFORMED);
  }
  return tagged(oid, TAG.oid).toOID();
}

/** The members of an object with this tag and exactly `count` members. */
function members(object: ASN1Obj | undefined, tag: number, count: number): readonly ASN1Obj[] {
  const found = subs(object, tag);
  if (found.length !== count) throw new CheckFailed("time", MALFORMED);
  return found;
}

/** The member at a position of an object with this tag. */
function at(object: ASN1Obj | undefined, tag: number, position: number): ASN1Obj {
  const found = subs(object, tag)[position];
  if (!found) throw new CheckFailed("time", MALFORMED);
  return found;
}

function subs(object: ASN1Obj | undefined, tag: number): readonly ASN1Obj[] {
  return tagged(object, tag).subs;
}

function tagged(object: ASN1Obj | undefined, tag: number): ASN1Obj {
  if (object?.tag.toDER() !== tag) throw new CheckFailed("time", MALFORMED);
  return object;
}
