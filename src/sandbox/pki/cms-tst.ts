import { createHash, sign } from "node:crypto";
import {
  explicit,
  generalizedTime,
  integer,
  NULL,
  octetString,
  oid,
  oidText,
  readAll,
  readOne,
  sequence,
  setOf,
  time,
  tlv,
} from "./der.ts";
import { type Authority, signatureAlgorithm } from "./x509.ts";

const SIGNED_DATA = "1.2.840.113549.1.7.2";
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const POLICY = "1.3.6.1.4.1.57264.2";
const SHA256 = "2.16.840.1.101.3.4.2.1";
const ATTRIBUTE = {
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingTime: "1.2.840.113549.1.9.5",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
};
/** Hashes allowed in an imprint, with their lengths in bytes. SHA-1 is not allowed. */
const IMPRINT_HASHES: Readonly<Record<string, number>> = {
  [SHA256]: 32,
  "2.16.840.1.101.3.4.2.2": 48,
  "2.16.840.1.101.3.4.2.3": 64,
};

/** TimeStampReq (RFC 3161 §2.4.1). */
export interface TimestampRequest {
  /** MessageImprint as received. */
  readonly imprint: Buffer;
  readonly supported: boolean;
  /** INTEGER as received. */
  readonly nonce: Buffer | undefined;
  readonly certificates: boolean;
}

/**
 * Reads a request.
 *
 * @throws Error when it is not a TimeStampReq of version 1
 */
export function readRequest(bytes: Uint8Array): TimestampRequest {
  const request = readOne(bytes);
  if (request.tag !== 0x30) throw new Error("not a TimeStampReq");
  const [version, imprint, ...optional] = readAll(request.content);
  if (version?.tag !== 0x02 || version.content.compare(Buffer.from([1])) !== 0 || imprint?.tag !== 0x30) {
    throw new Error("not a TimeStampReq of version 1");
  }
  const [algorithm, digest] = readAll(imprint.content);
  if (algorithm?.tag !== 0x30 || digest?.tag !== 0x04) throw new Error("not a MessageImprint");
  const [hash] = readAll(algorithm.content);
  const length = IMPRINT_HASHES[oidText(hash?.content ?? Buffer.alloc(0))];
  const nonce = optional.find(({ tag }) => tag === 0x02)?.raw;
  const certificates = optional.some(({ tag, content }) => tag === 0x01 && content[0] === 0xff);
  const policy = optional.find(({ tag }) => tag === 0x06);
  const known = policy === undefined || oidText(policy.content) === POLICY;
  return { imprint: imprint.raw, supported: known && length === digest.content.length, nonce, certificates };
}

/**
 * Builds the MessageImprint (RFC 3161 §2.4.1) of a digest.
 *
 * @returns `supported`: the hash is known and the digest has its length
 */
export function imprintOf(hash: string, digest: Uint8Array): { imprint: Buffer; supported: boolean } {
  const known: Readonly<Record<string, string>> = {
    sha256: SHA256,
    sha384: "2.16.840.1.101.3.4.2.2",
    sha512: "2.16.840.1.101.3.4.2.3",
  };
  const algorithm = (Object.hasOwn(known, hash) ? known[hash] : undefined) ?? SHA256;
  const supported = Object.hasOwn(known, hash) && IMPRINT_HASHES[algorithm] === digest.length;
  return { imprint: sequence(sequence(oid(algorithm), NULL), octetString(digest)), supported };
}

/** Builds a TimeStampResp with status granted (RFC 3161 §2.4.2). */
export function grantedResponse(options: {
  imprint: Buffer;
  nonce: Buffer | undefined;
  certificates: boolean;
  serial: Uint8Array;
  at: Date;
  signer: Authority;
  issuer: Authority;
}): Buffer {
  const { imprint, nonce, at, signer, issuer } = options;
  const accuracy = sequence(integer(1));
  const info = sequence(
    integer(1),
    oid(POLICY),
    imprint,
    integer(options.serial),
    generalizedTime(at),
    accuracy,
    ...(nonce ? [nonce] : []),
  );
  const signedData = sequence(
    integer(3),
    setOf(sequence(oid(SHA256), NULL)),
    sequence(oid(TST_INFO), explicit(0, octetString(info))),
    ...(options.certificates ? [explicit(0, signer.certificate, issuer.certificate)] : []),
    setOf(signerInfo(info, { at, signer, issuer })),
  );
  return sequence(sequence(integer(0)), sequence(oid(SIGNED_DATA), explicit(0, signedData)));
}

/** Builds the SignerInfo (RFC 5652 §5.3) with the attributes of RFC 3161 §2.4.2 and RFC 5816. */
function signerInfo(content: Uint8Array, signing: { at: Date; signer: Authority; issuer: Authority }): Buffer {
  const { at, signer, issuer } = signing;
  const attribute = (type: string, value: Uint8Array) => sequence(oid(type), setOf(value));
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
  const attributes = setOf(
    attribute(ATTRIBUTE.contentType, oid(TST_INFO)),
    attribute(ATTRIBUTE.signingTime, time(at)),
    attribute(ATTRIBUTE.messageDigest, octetString(sha256(content))),
    attribute(ATTRIBUTE.signingCertificateV2, sequence(sequence(sequence(octetString(sha256(signer.certificate)))))),
  );
  const { identifier, hash } = signatureAlgorithm(signer.key);
  const serial = serialOf(signer.certificate);
  return sequence(
    integer(1),
    sequence(issuer.name, serial),
    sequence(oid(SHA256), NULL),
    // Signed as a SET, encoded as [0] IMPLICIT (RFC 5652 §5.4).
    tlv(0xa0, readOne(attributes).content),
    identifier,
    octetString(sign(hash, attributes, signer.key)),
  );
}

/** Returns the serial number of a certificate, as an INTEGER. */
function serialOf(certificate: Uint8Array): Buffer {
  const [tbs] = readAll(readOne(certificate).content);
  const [, serial] = readAll(tbs?.content ?? Buffer.alloc(0));
  return serial?.raw ?? integer(0);
}

/** Builds a TimeStampResp with status rejection (2) and a failure bit: badAlg 0, badDataFormat 5 (RFC 3161 §2.4.2). */
export function rejectedResponse(bit: 0 | 5): Buffer {
  const failInfo = tlv(0x03, Buffer.from([7 - bit, 0x80 >> bit]));
  return sequence(sequence(integer(2), failInfo));
}
