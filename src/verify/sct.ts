import { createHash, type KeyObject, verify as verifyBytes } from "node:crypto";
import { EXTENSION_OID_SCT } from "@sigstore/core";
import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { byContent } from "../format/by-content.ts";
import { sameBytes } from "../format/bytes.ts";
import { isObject } from "../format/json.ts";
import { parseSignedJson } from "../format/signed-json.ts";
import type { Certificate } from "../trust/certificate.ts";
import type { CertificatePath } from "../trust/certificate-path.ts";
import { isWithin, type Log } from "../trust/material.ts";
import { withoutScts } from "./logged-tbs.ts";
import { CheckFailed } from "./model.ts";

/** LogEntryType (RFC 6962 §3.1). */
const ENTRY = { certificate: 0, precertificate: 1 } as const;
/** HashAlgorithm of RFC 5246 §7.4.1.4.1. */
const HASHES: Readonly<Record<number, string>> = { 4: "sha256", 5: "sha384", 6: "sha512" };
/** SignatureAlgorithm of the same section, by the type of the log's key. */
const SIGNATURES: Readonly<Record<string, number>> = { rsa: 1, ec: 3 };
const MAX_SCTS = 32;

/** A signed certificate timestamp (RFC 6962 §3.2). */
interface Sct {
  readonly logId: Uint8Array;
  /** Milliseconds since 1970. */
  readonly timestamp: bigint;
  readonly extensions: Uint8Array;
  readonly hash: number;
  readonly algorithm: number;
  readonly signature: Uint8Array;
}

/**
 * Checks that the certificate has a valid SCT, embedded or detached, from a log that was trusted at the SCT's time. SCTs from
 * unknown logs are ignored; an invalid one from a trusted log fails the check.
 *
 * @param options.detached JSON of a detached SCT (RFC 6962 §4.1, `--sct`)
 * @returns text for the report
 * @throws CheckFailed "sct"
 */
export function verifyScts(
  path: CertificatePath,
  options: { logs: readonly Log[]; detached: Uint8Array | undefined },
): string {
  const { detached, logs } = options;
  const embedded = path.leaf.asn1.extension(EXTENSION_OID_SCT);
  const scts = embedded ? readEmbedded(embedded.valueObj.subs[0]?.value) : detached ? [readDetached(detached)] : [];
  if (scts.length === 0) {
    throw new CheckFailed("sct", "certificate has no signed certificate timestamp (SCT)");
  }
  const entry = embedded ? precertificate(path) : wholeCertificate(path);
  const known = new Set<string>();
  for (const sct of scts) {
    const log = logs.find((each) => sameBytes(each.id, sct.logId));
    if (!log) continue;
    const time = new Date(Number(sct.timestamp));
    if (!isWithin(log.validFor, time)) {
      const at = Number.isNaN(time.getTime()) ? `the time ${sct.timestamp}` : time.toISOString();
      throw new CheckFailed("sct", `log ${log.baseUrl} is not trusted at ${at}`);
    }
    if (!isSigned(sct, { entry, embedded: embedded !== undefined, log })) {
      throw new CheckFailed("sct", `invalid signature from log ${log.baseUrl}`);
    }
    known.add(Buffer.from(sct.logId).toString("hex"));
  }
  if (known.size === 0) {
    throw new CheckFailed("sct", "no signed certificate timestamp is from a trusted log");
  }
  return `signed certificate timestamp from ${known.size === 1 ? "a trusted log" : `${known.size} trusted logs`}`;
}

/** The digitally-signed struct of RFC 6962 §3.2. */
function isSigned(sct: Sct, signed: { entry: Uint8Array; embedded: boolean; log: Log }): boolean {
  const { entry, embedded, log } = signed;
  const head = Buffer.alloc(12);
  head.writeBigUInt64BE(sct.timestamp, 2); // after version 1 (0) and certificate_timestamp (0)
  head.writeUInt16BE(embedded ? ENTRY.precertificate : ENTRY.certificate, 10);
  const extensions = Buffer.concat([uint(sct.extensions.length, 2), sct.extensions]);
  if (sct.algorithm !== SIGNATURES[log.key.asymmetricKeyType ?? ""]) return false;
  const { length } = sct.signature;
  const check = checks.get(log.key) ?? byContent((bytes) => isSignedBy(log.key, bytes));
  checks.set(log.key, check);
  return check(Buffer.concat([uint(sct.hash, 1), uint(length, 2), sct.signature, head, entry, extensions]));
}

/** The checks of each log's signatures, which remember their results: the images of a batch share their signer's SCTs. */
const checks = new WeakMap<KeyObject, (bytes: Uint8Array) => boolean>();

/** @param bytes number of the hash, signature with its length in two bytes, and what is signed */
function isSignedBy(key: KeyObject, bytes: Uint8Array): boolean {
  const reader = new Reader(bytes);
  const hash = HASHES[reader.uint(1)];
  const signature = reader.opaque(2);
  if (!hash) return false;
  try {
    return verifyBytes(hash, reader.bytes(reader.left), key, signature);
  } catch {
    return false; // OpenSSL refuses the signature's encoding
  }
}

/** PreCert (RFC 6962 §3.2): the hash of the issuer's key, and the certificate without its SCTs. */
function precertificate({ leaf, issuer }: CertificatePath): Uint8Array {
  const tbs = withoutScts(leaf);
  return Buffer.concat([keyHashOf(issuer), uint(tbs.length, 3), tbs]);
}

const keyHashes = new WeakMap<Certificate, Uint8Array>();

/** SHA-256 of a certificate's SubjectPublicKeyInfo. */
function keyHashOf(certificate: Certificate): Uint8Array {
  const spki = () => certificate.key.export({ type: "spki", format: "der" });
  const known = keyHashes.get(certificate) ?? createHash("sha256").update(spki()).digest();
  keyHashes.set(certificate, known);
  return known;
}

function wholeCertificate({ leaf }: CertificatePath): Uint8Array {
  const der = leaf.native.raw;
  return Buffer.concat([uint(der.length, 3), der]);
}

/** SignedCertificateTimestampList (RFC 6962 §3.3). */
function readEmbedded(list: Uint8Array | undefined): Sct[] {
  const reader = new Reader(list ?? new Uint8Array());
  const inner = new Reader(reader.opaque(2));
  reader.end();
  const scts: Sct[] = [];
  while (inner.left > 0) {
    if (scts.length === MAX_SCTS)
      throw new CheckFailed("sct", `certificate has more than ${MAX_SCTS} signed certificate timestamps`);
    scts.push(readSct(new Reader(inner.opaque(2))));
  }
  return scts;
}

function readSct(reader: Reader): Sct {
  if (reader.uint(1) !== 0) throw unreadable();
  const logId = reader.bytes(32);
  const timestamp = Buffer.from(reader.bytes(8)).readBigUInt64BE();
  const extensions = reader.opaque(2);
  const sct = { logId, timestamp, extensions, ...readSignature(reader) };
  reader.end();
  return sct;
}

function readSignature(reader: Reader): Pick<Sct, "hash" | "algorithm" | "signature"> {
  return { hash: reader.uint(1), algorithm: reader.uint(1), signature: reader.opaque(2) };
}

/** Members of an add-chain response (RFC 6962 §4.1). */
const DETACHED_MEMBERS = { sct_version: {}, id: {}, timestamp: {}, extensions: {}, signature: {} };

function readDetached(json: Uint8Array): Sct {
  const value = readJson(json);
  if (!isObject(value)) throw unreadable();
  const bytes = (field: string): Uint8Array => {
    const text = value[field] ?? "";
    const decoded = typeof text === "string" ? decodeBase64(text) : undefined;
    if (!decoded) throw unreadable();
    return decoded;
  };
  const { timestamp, sct_version: version } = value;
  if (version !== 0 || typeof timestamp !== "number" || !Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw unreadable();
  }
  const signed = new Reader(bytes("signature"));
  const signature = readSignature(signed);
  signed.end();
  return { logId: bytes("id"), timestamp: BigInt(timestamp), extensions: bytes("extensions"), ...signature };
}

function readJson(json: Uint8Array): unknown {
  try {
    return parseSignedJson(json, DETACHED_MEMBERS, "detached SCT");
  } catch (error) {
    if (error instanceof TsignError) throw unreadable();
    throw error;
  }
}

function unreadable(): CheckFailed {
  return new CheckFailed("sct", "malformed signed certificate timestamp");
}

function uint(value: number, bytes: number): Uint8Array {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

/** Reads TLS presentation language (RFC 5246 §4): big-endian numbers, and vectors preceded by their length. */
class Reader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#position;
  }

  bytes(length: number): Uint8Array {
    if (this.left < length) throw unreadable();
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }

  uint(length: number): number {
    return Buffer.from(this.bytes(length)).readUIntBE(0, length);
  }

  opaque(lengthBytes: number): Uint8Array {
    return this.bytes(this.uint(lengthBytes));
  }

  end(): void {
    if (this.left > 0) throw unreadable();
  }
}
