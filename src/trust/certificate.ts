import { type KeyObject, X509Certificate } from "node:crypto";
import { X509Certificate as Asn1Certificate } from "@sigstore/core";
import { TsignError } from "../errors.ts";
import { type Der, DerError, derChildren, readDer, requireDer, TAG } from "../format/der.ts";
import { faultOf } from "../format/key-fault.ts";

/** Largest certificate that is read, in bytes. Those with hundreds of names have some ten thousand. */
const MAX_CERTIFICATE = 128 * 1024;
/** Tags of tbsCertificate's optional members (RFC 5280 §4.1). */
const [VERSION, ISSUER_ID, SUBJECT_ID, EXTENSIONS] = [0xa0, 0x81, 0x82, 0xa3];
const UTC_TIME = /^\d{10}(\d\d)?Z$/;
const GENERALIZED_TIME = /^\d{14}Z$/;

/** A certificate as node:crypto sees it (signatures, names, usages) and as ASN.1 (extensions, path length). */
export interface Certificate {
  readonly native: X509Certificate;
  readonly asn1: Asn1Certificate;
  /** The subject's public key, which may be verified with. */
  readonly key: KeyObject;
  /** DER of the names it has and was issued under, which an issuer is found by. */
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  /** DER of its signature's AlgorithmIdentifier. */
  readonly signatureAlgorithm: Uint8Array;
}

/** What is known of bytes that were read before: a chain repeats them, and several times are judged. */
const read = new WeakMap<Uint8Array, Certificate>();

/**
 * Parses a DER certificate (RFC 5280 §4.1) as strictly as Go's crypto/x509, and refuses a key that proves nothing: every
 * certificate that tsign believes anything of comes through here.
 *
 * @throws TsignError "untrusted" saying what is wrong with it
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const known = read.get(der);
  if (known) return known;
  try {
    const parts = readParts(der);
    const native = new X509Certificate(der);
    const key = native.publicKey; // read only now, and it may not be one
    const fault = faultOf(key);
    if (fault) throw new DerError(`its key cannot be used: ${fault}`);
    if (!key.export({ type: "spki", format: "der" }).equals(parts.spki))
      throw new DerError("its key is not written as DER");
    const asn1 = Asn1Certificate.parse(Buffer.from(der));
    const certificate = { native, asn1, key, ...parts };
    read.set(der, certificate);
    return certificate;
  } catch (cause) {
    const reason = cause instanceof DerError ? `: ${cause.message}` : "";
    throw new TsignError("untrusted", `a certificate cannot be read${reason}`, { cause });
  }
}

/**
 * DER of a certificate's subject, with nothing else of the certificate read than what stands before it: to find out which of
 * many certificates are worth parsing.
 *
 * @throws TsignError "untrusted"
 */
export function subjectOf(der: Uint8Array): Uint8Array {
  try {
    const [tbs] = derChildren(readDer(der), TAG.sequence);
    const members = derChildren(tbs, TAG.sequence);
    const subject = members[members[0]?.tag === VERSION ? 5 : 4];
    if (subject?.tag !== TAG.sequence) throw new DerError("it has no subject");
    return subject.bytes;
  } catch (cause) {
    throw new TsignError("untrusted", "a certificate cannot be read", { cause });
  }
}

type Parts = Pick<Certificate, "subject" | "issuer" | "signatureAlgorithm"> & { readonly spki: Uint8Array };

/** Reads the members that a path is searched by, and refuses what Go's crypto/x509 refuses and OpenSSL lets pass. */
function readParts(der: Uint8Array): Parts {
  if (der.length > MAX_CERTIFICATE) throw new DerError(`it is larger than ${MAX_CERTIFICATE / 1024} KiB`);
  requireDer(der);
  const [tbs, algorithm, signature, ...more] = derChildren(readDer(der), TAG.sequence);
  if (more.length > 0 || !algorithm || signature?.tag !== TAG.bits) throw new DerError("it has not three members");
  const members = [...derChildren(tbs, TAG.sequence)];
  const version = members[0]?.tag === VERSION ? readVersion(members.shift()) : 1;
  const [serial, innerAlgorithm, issuer, validity, subject, spki, ...optional] = members;
  if (!serial || !innerAlgorithm || !issuer || !validity || !subject || !spki) throw new DerError("it lacks a member");
  requireSerial(serial);
  if (Buffer.compare(innerAlgorithm.bytes, algorithm.bytes) !== 0) {
    throw new DerError("it names two signature algorithms");
  }
  for (const name of [issuer, subject]) derChildren(name, TAG.sequence);
  derChildren(algorithm, TAG.sequence);
  requireValidity(validity);
  requireOptional(optional, version);
  return { subject: subject.bytes, issuer: issuer.bytes, signatureAlgorithm: algorithm.bytes, spki: spki.bytes };
}

/** Version 1 is not written, 2 and 3 are 1 and 2. */
function readVersion(element: Der | undefined): number {
  const [version, ...more] = derChildren(element, VERSION);
  const [number = 0] = version?.value ?? [];
  if (more.length > 0 || version?.tag !== TAG.integer || version.value.length !== 1 || number < 1 || number > 2) {
    throw new DerError("its version is not 1, 2 or 3");
  }
  return number + 1;
}

function requireSerial({ tag, value }: Der): void {
  const [first, second = 0xff] = value;
  if (tag !== TAG.integer || first === undefined || first >= 0x80)
    throw new DerError("its serial number is negative or missing");
  if (first === 0 && second < 0x80) throw new DerError("its serial number has a byte too many");
}

function requireValidity(validity: Der): void {
  const times = derChildren(validity, TAG.sequence);
  const isTime = ({ tag, value }: Der) => {
    const text = Buffer.from(value).toString("latin1");
    return (tag === TAG.utcTime && UTC_TIME.test(text)) || (tag === TAG.time && GENERALIZED_TIME.test(text));
  };
  if (times.length !== 2 || !times.every(isTime)) throw new DerError("its validity is not two times");
}

/** Unique identifiers are of version 2 and 3, extensions of version 3, each of them once (RFC 5280 §4.2). */
function requireOptional(optional: readonly Der[], version: number): void {
  const allowed = [ISSUER_ID, SUBJECT_ID, EXTENSIONS].slice(0, version === 3 ? 3 : version === 2 ? 2 : 0);
  let next = 0;
  for (const { tag } of optional) {
    const position = allowed.indexOf(tag, next);
    if (position < 0) throw new DerError("it has a member that its version does not have");
    next = position + 1;
  }
  const last = optional.at(-1);
  if (last?.tag !== EXTENSIONS) return;
  const [list, ...more] = derChildren(last, EXTENSIONS);
  if (more.length > 0) throw new DerError("its extensions cannot be read");
  const seen = new Set<string>();
  for (const extension of derChildren(list, TAG.sequence)) {
    const oid = readExtension(extension);
    if (seen.has(oid)) throw new DerError(`it has the extension ${oidText(oid)} twice`);
    seen.add(oid);
  }
}

/** @returns the OID's content in hex */
function readExtension(extension: Der): string {
  const [oid, ...rest] = derChildren(extension, TAG.sequence);
  const critical = rest[0]?.tag === TAG.boolean ? rest.shift() : undefined;
  const isBoolean = !critical || (critical.value.length === 1 && [0, 0xff].includes(critical.value[0] ?? 1));
  if (oid?.tag !== TAG.oid || !isBoolean || rest.length !== 1 || rest[0]?.tag !== TAG.octets) {
    throw new DerError("an extension cannot be read");
  }
  return Buffer.from(oid.value).toString("hex");
}

/** The usual text of an OID (X.690 §8.19). */
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
