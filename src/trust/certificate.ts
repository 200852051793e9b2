import { type KeyObject, X509Certificate } from "node:crypto";
import { X509Certificate as Asn1Certificate } from "@sigstore/core";
import { TsignError } from "../errors.ts";
import { byContent } from "../format/by-content.ts";
import { type Der, DerError, derChildren, readDer, requireDer, TAG } from "../format/der.ts";
import { faultOf } from "../format/key-fault.ts";

/** Largest certificate, in bytes: the executable's runtime reads no larger ones. Those with hundreds of names have about ten thousand. */
const MAX_CERTIFICATE = 100 * 1024;
/** Tags of tbsCertificate's optional members (RFC 5280 §4.1). */
const [VERSION, ISSUER_ID, SUBJECT_ID, EXTENSIONS] = [0xa0, 0x81, 0x82, 0xa3];
const UTC_TIME = /^\d{10}(\d\d)?Z$/;
const GENERALIZED_TIME = /^\d{14}Z$/;

/** A certificate parsed by node:crypto (signatures, names, usages) and as ASN.1 (extensions, path length). */
export interface Certificate {
  readonly native: X509Certificate;
  readonly asn1: Asn1Certificate;
  /** The subject's public key; it passed the checks for weak keys. */
  readonly key: KeyObject;
  /** DER of the subject and issuer names, for finding the issuer. */
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  /** DER of its signature's AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array;
}

/** Certificates parsed before: chains repeat them, paths are verified at several times, and images share their signer. */
const cache = new WeakMap<Uint8Array, Certificate>();

/**
 * Parses a DER certificate (RFC 5280 §4.1) as strictly as Go's crypto/x509, and refuses weak keys. Every certificate that tsign
 * uses is parsed here.
 *
 * @throws TsignError "untrusted" with the reason
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const known = cache.get(der);
  if (known) return known;
  const certificate = parseOnce(der);
  cache.set(der, certificate);
  return certificate;
}

const parseOnce = byContent((der): Certificate => {
  try {
    const parts = readParts(der);
    const native = new X509Certificate(der);
    const key = native.publicKey; // parsed only now, and may throw
    const spki = key.export({ type: "spki", format: "der" });
    const fault = faultOf(key, spki);
    if (fault) throw new DerError(`key cannot be used: ${fault}`);
    if (!spki.equals(parts.spki)) {
      throw new DerError("public key is not DER");
    }
    const asn1 = Asn1Certificate.parse(Buffer.from(der));
    return { native, asn1, key, ...parts };
  } catch (cause) {
    const reason = cause instanceof DerError ? `: ${cause.message}` : "";
    throw new TsignError("untrusted", `malformed certificate${reason}`, { cause });
  }
});

/**
 * DER of a certificate's subject, without parsing the rest of it: to select the certificates worth parsing.
 *
 * @throws TsignError "untrusted"
 */
export function subjectOf(der: Uint8Array): Uint8Array {
  try {
    const [tbs] = derChildren(readDer(der), TAG.sequence);
    const members = derChildren(tbs, TAG.sequence);
    const subject = members[members[0]?.tag === VERSION ? 5 : 4];
    if (subject?.tag !== TAG.sequence) throw new DerError("missing subject");
    return subject.bytes;
  } catch (cause) {
    throw new TsignError("untrusted", "malformed certificate", { cause });
  }
}

type Parts = Pick<Certificate, "subject" | "issuer" | "signatureAlgorithm"> & { readonly spki: Uint8Array };

/** Parses the members needed to find a path, and refuses what Go's crypto/x509 refuses but OpenSSL accepts. */
function readParts(der: Uint8Array): Parts {
  if (der.length > MAX_CERTIFICATE) throw new DerError(`larger than ${MAX_CERTIFICATE / 1024} KiB`);
  requireDer(der);
  const [tbs, algorithm, signature, ...more] = derChildren(readDer(der), TAG.sequence);
  if (more.length > 0 || !algorithm || signature?.tag !== TAG.bits) throw new DerError("expected three members");
  const members = [...derChildren(tbs, TAG.sequence)];
  const version = members[0]?.tag === VERSION ? readVersion(members.shift()) : 1;
  const [serial, innerAlgorithm, issuer, validity, subject, spki, ...optional] = members;
  if (!serial || !innerAlgorithm || !issuer || !validity || !subject || !spki) throw new DerError("missing member");
  requireSerial(serial);
  if (Buffer.compare(innerAlgorithm.bytes, algorithm.bytes) !== 0) {
    throw new DerError("inner and outer signature algorithms differ");
  }
  for (const name of [issuer, subject]) derChildren(name, TAG.sequence);
  derChildren(algorithm, TAG.sequence);
  requireValidity(validity);
  requireOptional(optional, version);
  return { subject: subject.bytes, issuer: issuer.bytes, signatureAlgorithm: algorithm.bytes, spki: spki.bytes };
}

/** Parses the version: 1 is omitted, 2 and 3 are encoded as 1 and 2. */
function readVersion(element: Der | undefined): number {
  const [version, ...more] = derChildren(element, VERSION);
  const [number = 0] = version?.value ?? [];
  if (more.length > 0 || version?.tag !== TAG.integer || version.value.length !== 1 || number < 1 || number > 2) {
    throw new DerError("version is not 1, 2 or 3");
  }
  return number + 1;
}

function requireSerial({ tag, value }: Der): void {
  const [first, second = 0xff] = value;
  if (tag !== TAG.integer || first === undefined || first >= 0x80) {
    throw new DerError("negative or missing serial number");
  }
  if (first === 0 && second < 0x80) throw new DerError("serial number is not minimally encoded");
}

function requireValidity(validity: Der): void {
  const times = derChildren(validity, TAG.sequence);
  const isTime = ({ tag, value }: Der) => {
    const text = Buffer.from(value).toString("latin1");
    return (tag === TAG.utcTime && UTC_TIME.test(text)) || (tag === TAG.time && GENERALIZED_TIME.test(text));
  };
  if (times.length !== 2 || !times.every(isTime)) throw new DerError("invalid validity");
}

/** Checks the optional members: unique identifiers from version 2, extensions from version 3, each once (RFC 5280 §4.2). */
function requireOptional(optional: readonly Der[], version: number): void {
  const allowed = [ISSUER_ID, SUBJECT_ID, EXTENSIONS].slice(0, version === 3 ? 3 : version === 2 ? 2 : 0);
  let next = 0;
  for (const { tag } of optional) {
    const position = allowed.indexOf(tag, next);
    if (position < 0) throw new DerError("unexpected member for its version");
    next = position + 1;
  }
  const last = optional.at(-1);
  if (last?.tag !== EXTENSIONS) return;
  const [list, ...more] = derChildren(last, EXTENSIONS);
  if (more.length > 0) throw new DerError("malformed extensions");
  const seen = new Set<string>();
  for (const extension of derChildren(list, TAG.sequence)) {
    const oid = readExtension(extension);
    if (seen.has(oid)) throw new DerError(`duplicate extension ${oidText(oid)}`);
    seen.add(oid);
  }
}

/** @returns the OID's content in hex */
function readExtension(extension: Der): string {
  const [oid, ...rest] = derChildren(extension, TAG.sequence);
  const critical = rest[0]?.tag === TAG.boolean ? rest.shift() : undefined;
  const isBoolean = !critical || (critical.value.length === 1 && [0, 0xff].includes(critical.value[0] ?? 1));
  if (oid?.tag !== TAG.oid || !isBoolean || rest.length !== 1 || rest[0]?.tag !== TAG.octets) {
    throw new DerError("malformed extension");
  }
  return Buffer.from(oid.value).toString("hex");
}

/** Formats an OID in dotted decimal (X.690 §8.19). */
function oidText(hex: string): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of Buffer.from(hex, "hex")) {
    number = number * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  const [first = 0, ...others] = numbers;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - 40 * root, ...others].join(".");
}
