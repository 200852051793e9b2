import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { claimedSigner } from "../../evidence/find/claimed-signer.ts";
import { derChildren, encodeDer, readDer, TAG } from "../../format/der.ts";
import { type Certificate, parseCertificate } from "../../trust/certificate.ts";
import { loggedTbs } from "../../verify/logged-tbs.ts";
import type { TrustMaterial } from "../../verify/model.ts";
import { isIn, isIssued, isOf, isOrdered, type Seen, type Watch } from "../watch.ts";

/** Tag of tbsCertificate's version (RFC 5280 §4.1). */
const VERSION = 0xa0;
/** LogEntryType (RFC 6962 §3.1). */
const [X509_ENTRY, PRECERT_ENTRY] = [0, 1];

/**
 * Compares an entry of a certificate transparency log with what is watched. A precertificate in a leaf has no signature, but the hash of
 * its issuer's key (RFC 6962 §3.4); a whole certificate must be issued by a trusted authority.
 */
export function searchLeaf(leaf: Uint8Array, { identities, keys, authorities, ordered, trust }: Watch): Seen {
  const logged = readLeaf(leaf);
  if (!logged) return "unparsed";
  const { certificate, issuer, tbs } = logged;
  const { asn1, key, native } = certificate;
  const spki = key.export({ type: "spki", format: "der" });
  const isKey = isIn(keys, spki);
  const isFrom = (some: TrustMaterial["authorities"]) =>
    issuer === undefined
      ? isIssued(native.raw, { ...trust, authorities: some }, asn1.notBefore)
      : keyHashesOf(some).has(issuer);
  const by = isKey ? "key" : identities.some((identity) => isOf(asn1, identity)) ? "identity" : "authority";
  if (by === "authority" && (authorities.length === 0 || !isFrom(authorities))) return "nothing";
  const isTrusted = isFrom(trust.authorities);
  const isByOrder = isIn(ordered.keys, spki) || (isTrusted && isOrdered(asn1, ordered));
  if (isByOrder) return "nothing";
  if (by === "identity" && !isTrusted) return "untrusted";
  return {
    kind: "certificate",
    by,
    signer: claimedSigner({ key: { kind: "certificate", leaf: native.raw, chain: [], binding: false } }),
    notBefore: asn1.notBefore.toISOString(),
    certificate: hashOf(tbs),
  };
}

/** What recognizes a certificate in a log: the hash of what was logged, hex; undefined for one that cannot be parsed. */
export function certificateHash(der: Uint8Array): string | undefined {
  try {
    return hashOf(loggedTbs(parseCertificate(der)));
  } catch (error) {
    if (error instanceof TsignError) return undefined;
    throw error;
  }
}

interface Logged {
  readonly certificate: Certificate;
  /** Hash of the issuer's key, hex; undefined for a whole certificate. */
  readonly issuer: string | undefined;
  /** What was logged, without SCTs. */
  readonly tbs: Uint8Array;
}

/** Reads a MerkleTreeLeaf; undefined for what cannot be parsed. */
function readLeaf(leaf: Uint8Array): Logged | undefined {
  const bytes = Buffer.from(leaf);
  if (bytes.length < 15 || bytes.readUInt16BE(0) !== 0) return undefined;
  const type = bytes.readUInt16BE(10);
  const start = type === PRECERT_ENTRY ? 44 : 12;
  if ((type !== PRECERT_ENTRY && type !== X509_ENTRY) || bytes.length < start + 3) return undefined;
  const content = bytes.subarray(start + 3, start + 3 + bytes.readUIntBE(start, 3));
  try {
    if (type === PRECERT_ENTRY) {
      const certificate = parseCertificate(unsigned(content));
      return { certificate, issuer: bytes.subarray(12, 44).toString("hex"), tbs: content };
    }
    const certificate = parseCertificate(content);
    return { certificate, issuer: undefined, tbs: loggedTbs(certificate) };
  } catch (error) {
    if (error instanceof TsignError) return undefined;
    throw error;
  }
}

/** A certificate with an empty signature, so that it can be parsed. @throws TsignError "untrusted" */
function unsigned(tbs: Uint8Array): Uint8Array {
  try {
    const members = derChildren(readDer(tbs), TAG.sequence);
    const algorithm = members[members[0]?.tag === VERSION ? 2 : 1];
    const parts = [tbs, algorithm?.bytes ?? new Uint8Array(), encodeDer(TAG.bits, Buffer.of(0, 0))];
    return encodeDer(TAG.sequence, Buffer.concat(parts));
  } catch (cause) {
    throw new TsignError("untrusted", "malformed precertificate", { cause });
  }
}

/** Hashes of the keys of authorities, hex. */
function keyHashesOf(authorities: TrustMaterial["authorities"]): ReadonlySet<string> {
  const known = keyHashes.get(authorities);
  if (known) return known;
  const certificates = authorities.flatMap(({ roots, intermediates }) => [...roots, ...intermediates]);
  const hashes = new Set(
    certificates.map((der) => hashOf(parseCertificate(der).key.export({ type: "spki", format: "der" }))),
  );
  keyHashes.set(authorities, hashes);
  return hashes;
}
const keyHashes = new WeakMap<TrustMaterial["authorities"], ReadonlySet<string>>();

const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
