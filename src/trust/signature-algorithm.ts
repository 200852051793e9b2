import { type Der, derChildren, readDer, TAG } from "../format/der.ts";
import type { Certificate } from "./certificate.ts";

/** OIDs by the hex of their content. */
const OID = {
  pss: "2a864886f70d01010a",
  mgf1: "2a864886f70d010108",
  ed25519: "2b6570",
} as const;
/** ECDSA (1.2.840.10045.4.3.2 to 4) and RSA (1.2.840.113549.1.1.11 to 13) with SHA-256, 384 and 512. */
const WITH_SHA2 = new Set([
  "2a8648ce3d040302",
  "2a8648ce3d040303",
  "2a8648ce3d040304",
  "2a864886f70d01010b",
  "2a864886f70d01010c",
  "2a864886f70d01010d",
]);
/** SHA-256, 384 and 512 (2.16.840.1.101.3.4.2.1 to 3) and their lengths in bytes. */
const HASH_LENGTH: Readonly<Record<string, number>> = {
  "608648016503040201": 32,
  "608648016503040202": 48,
  "608648016503040203": 64,
};

/**
 * Whether a certificate's signature algorithm and hash are accepted, as in Go's crypto/x509: ECDSA and RSA with SHA-2, RSASSA-PSS
 * with SHA-2 for both hash and mask, Ed25519. Weaker hashes allow collisions. The signature itself is not verified.
 */
export function hasSoundSignature({ signatureAlgorithm }: Certificate): boolean {
  const [oid, parameters, ...more] = derChildren(readDer(signatureAlgorithm), TAG.sequence);
  if (more.length > 0) return false;
  const name = hexOf(oid);
  if (WITH_SHA2.has(name)) return parameters === undefined || isNull(parameters);
  if (name === OID.ed25519) return parameters === undefined;
  return name === OID.pss && arePssParameters(parameters);
}

/** RSASSA-PSS-params (RFC 4055 §3.1) with one hash of SHA-2, MGF1 with the same, a salt of its length and trailer 1. */
function arePssParameters(parameters: Der | undefined): boolean {
  try {
    const [hash, mask, salt, trailer, ...more] = derChildren(parameters, TAG.sequence);
    const [hashAlgorithm, ...noHash] = derChildren(hash, 0xa0);
    const [maskAlgorithm, ...noMask] = derChildren(mask, 0xa1);
    const [mgf1, maskHash, ...noMaskHash] = derChildren(maskAlgorithm, TAG.sequence);
    const length = hashLength(hashAlgorithm);
    const isSame = hexOf(mgf1) === OID.mgf1 && length !== undefined && length === hashLength(maskHash);
    const extra = [...more, ...noHash, ...noMask, ...noMaskHash].length;
    return extra === 0 && isSame && isNumber(salt, 0xa2, length) && (!trailer || isNumber(trailer, 0xa3, 1));
  } catch {
    return false; // malformed, or a default that means SHA-1
  }
}

function hashLength(algorithm: Der | undefined): number | undefined {
  const [oid, parameters, ...more] = derChildren(algorithm, TAG.sequence);
  if (more.length > 0 || (parameters && !isNull(parameters))) return undefined;
  return HASH_LENGTH[hexOf(oid)];
}

function isNumber(element: Der | undefined, tag: number, number: number): boolean {
  const [integer, ...more] = derChildren(element, tag);
  return more.length === 0 && integer?.tag === TAG.integer && integer.value.length === 1 && integer.value[0] === number;
}

function isNull({ tag, value }: Der): boolean {
  return tag === TAG.null && value.length === 0;
}

function hexOf(oid: Der | undefined): string {
  return oid?.tag === TAG.oid ? Buffer.from(oid.value).toString("hex") : "";
}
