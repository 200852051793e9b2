import { createHash, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  readAll,
  readOne,
  sequence,
  setOf,
  time,
  utf8String,
} from "./der.ts";

/** ecdsa-with-SHA2 (RFC 5758 §3.2), with the hash for each curve of an authority's key. */
const ECDSA: Readonly<Record<string, { oid: string; hash: string }>> = {
  prime256v1: { oid: "1.2.840.10045.4.3.2", hash: "sha256" },
  secp384r1: { oid: "1.2.840.10045.4.3.3", hash: "sha384" },
};

/** Returns AlgorithmIdentifier and hash for signatures by an authority's ECDSA key. */
export function signatureAlgorithm(key: KeyObject): { identifier: Buffer; hash: string } {
  const curve = ECDSA[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (!curve) throw new Error("unsupported authority key: expected P-256 or P-384");
  return { identifier: sequence(oid(curve.oid)), hash: curve.hash };
}

/** Encodes organization and common name (RFC 5280 §4.1.2.4); without a common name, the empty name. */
export function distinguishedName(commonName?: string): Buffer {
  if (commonName === undefined) return sequence();
  const attribute = (type: string, value: string) => setOf(sequence(oid(type), utf8String(value)));
  return sequence(attribute("2.5.4.10", "tsign sandbox (tests only)"), attribute("2.5.4.3", commonName));
}

/** Encodes an Extension (RFC 5280 §4.1). */
export function extension(id: string, value: Uint8Array, options: { critical?: boolean } = {}): Buffer {
  return sequence(oid(id), ...(options.critical ? [boolean(true)] : []), octetString(value));
}

/** Returns the keyIdentifier by method 1 of RFC 5280 §4.2.1.2: SHA-1 of the public key's bits. */
export function keyIdentifier(spki: Uint8Array): Buffer {
  const [, bits] = readAll(readOne(spki).content);
  return createHash("sha1")
    .update((bits?.content ?? Buffer.alloc(0)).subarray(1))
    .digest();
}

const KEY_USAGE = { digitalSignature: bitString(Buffer.from([0x80]), 7), authority: bitString(Buffer.from([0x06]), 1) };
export const EKU_CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
export const EKU_TIME_STAMPING = "1.3.6.1.5.5.7.3.8";

/** Encodes key identifiers, basic constraints, key usage and extended key usage (RFC 5280 §4.2.1). */
export function usualExtensions(options: {
  spki: Uint8Array;
  issuerSpki: Uint8Array;
  /** Path length of an authority; undefined for an end entity. */
  pathLength?: number;
  extendedKeyUsage?: string;
}): Buffer[] {
  const { spki, issuerSpki, pathLength, extendedKeyUsage } = options;
  const authority = pathLength !== undefined;
  const endEntity = !authority;
  return [
    extension("2.5.29.15", authority ? KEY_USAGE.authority : KEY_USAGE.digitalSignature, { critical: true }),
    ...(authority ? [extension("2.5.29.19", sequence(boolean(true), integer(pathLength)), { critical: true })] : []),
    ...(extendedKeyUsage
      ? [
          extension("2.5.29.37", sequence(oid(extendedKeyUsage)), {
            critical: endEntity && extendedKeyUsage === EKU_TIME_STAMPING,
          }),
        ]
      : []),
    extension("2.5.29.14", octetString(keyIdentifier(spki))),
    extension("2.5.29.35", sequence(implicit(0, keyIdentifier(issuerSpki)))),
  ];
}

/** Encodes a TBSCertificate, version 3 (RFC 5280 §4.1.2). `serial`: big-endian octets. */
export function tbsCertificate(options: {
  serial: Uint8Array;
  issuer: Uint8Array;
  subject: Uint8Array;
  notBefore: Date;
  notAfter: Date;
  spki: Uint8Array;
  extensions: readonly Uint8Array[];
  issuerKey: KeyObject;
}): Buffer {
  return sequence(
    explicit(0, integer(2)),
    integer(options.serial),
    signatureAlgorithm(options.issuerKey).identifier,
    options.issuer,
    sequence(time(options.notBefore), time(options.notAfter)),
    options.subject,
    options.spki,
    explicit(3, sequence(...options.extensions)),
  );
}

/** Signs a TBSCertificate and returns the certificate. */
export function signCertificate(tbs: Uint8Array, issuerKey: KeyObject): Buffer {
  const { identifier, hash } = signatureAlgorithm(issuerKey);
  return sequence(tbs, identifier, bitString(sign(hash, tbs, issuerKey)));
}

/** Returns a serial number of 19 random octets, positive (RFC 5280 §4.1.2.2: at most 20 octets). */
export function serialNumber(random: (bytes: number) => Uint8Array): Buffer {
  const octets = Buffer.from(random(19));
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
  return octets;
}

export interface Authority {
  readonly name: Buffer;
  readonly spki: Buffer;
  readonly key: KeyObject;
  readonly certificate: Buffer;
}

/** Creates a certificate authority, valid for ten years; self-signed without an issuer. */
export function createAuthority(options: {
  commonName: string;
  key: KeyObject;
  spki: Buffer;
  issuer?: Pick<Authority, "name" | "spki" | "key">;
  pathLength: number;
  extendedKeyUsage?: string;
  notBefore: Date;
  random: (bytes: number) => Uint8Array;
}): Authority {
  const { key, spki, notBefore } = options;
  const name = distinguishedName(options.commonName);
  const issuer = options.issuer ?? { name, spki, key };
  const { pathLength, extendedKeyUsage } = options;
  const tbs = tbsCertificate({
    serial: serialNumber(options.random),
    issuer: issuer.name,
    subject: name,
    notBefore,
    notAfter: new Date(notBefore.getTime() + TEN_YEARS),
    spki,
    extensions: usualExtensions({
      spki,
      issuerSpki: issuer.spki,
      pathLength,
      ...(extendedKeyUsage ? { extendedKeyUsage } : {}),
    }),
    issuerKey: issuer.key,
  });
  return { name, spki, key, certificate: signCertificate(tbs, issuer.key) };
}

/** Milliseconds. */
export const TEN_YEARS = 3652 * 24 * 3600 * 1000;
