import { createPublicKey } from "node:crypto";
import type { X509Certificate } from "@sigstore/core";
import { entryDigest, parsedBody } from "../evidence/entry-body.ts";
import { claimedSigner } from "../evidence/find/claimed-signer.ts";
import { sameBytes } from "../format/bytes.ts";
import { fulcioExtensionText } from "../format/certificate-names.ts";
import { digestOf } from "../format/digest.ts";
import { isObject, textOf } from "../format/json.ts";
import { type PemBlock, readPem } from "../format/pem.ts";
import type { PublicKey } from "../keys/types.ts";
import { parseCertificate } from "../trust/certificate.ts";
import type { Authority } from "../trust/material.ts";
import { verifyCertificate } from "../verify/certificate.ts";
import { verifyIdentity } from "../verify/identity.ts";
import { everyStatedKey } from "../verify/log.ts";
import { CheckFailed, type IdentityPolicy, type TrustMaterial } from "../verify/model.ts";

/** Fulcio's extension with the commit that a job has built (fulcio, docs/oid-info.md). */
const SOURCE_REPOSITORY_DIGEST = "1.3.6.1.4.1.57264.1.13";

/** What to look for in entries. */
export interface Watch {
  readonly identities: readonly IdentityPolicy[];
  readonly keys: readonly PublicKey[];
  /** `sha256:HEX`. */
  readonly digests: ReadonlySet<string>;
  /** Digests that were signed by our order: their entries are no findings. */
  readonly expected: ReadonlySet<string>;
  /** Who signs by our order: their entries and certificates are no findings. */
  readonly ordered: Ordered;
  /** Our own authorities: a certificate that one of them issued is ours, whatever its names. */
  readonly authorities: readonly Authority[];
  /** All authorities that issue certificates for the identities. */
  readonly trust: TrustMaterial;
}

/** Who signs by our order. */
export interface Ordered {
  /** Commits whose jobs do. */
  readonly commits: ReadonlySet<string>;
  readonly identities: readonly IdentityPolicy[];
  readonly keys: readonly PublicKey[];
}

/** What was found in an entry. */
export interface Match {
  readonly kind: string;
  readonly digest?: string;
  /** "malformed": parsers may read the entry in different ways. */
  readonly by: "identity" | "key" | "authority" | "digest" | "malformed";
  readonly signer: string;
  readonly notBefore?: string;
  /** Hash of what a certificate transparency log has recorded, hex. */
  readonly certificate?: string;
}

/** "unparsed": an entry whose signers are unknown. "untrusted": our identity, in a certificate that no trusted authority issued. */
export type Seen = "nothing" | "unparsed" | "untrusted" | Match;

/** A digest of what a watch looks for, to notice a change. */
export function watchDigest({ identities, keys, digests, authorities }: Watch): string {
  const patterns = identities.map(({ subject, issuer, extensions, extensionPatterns = new Map() }) => [
    subject.map((each) => each.text),
    issuer.map((each) => each.text),
    [...extensions, ...[...extensionPatterns].map(([oid, { text }]) => [oid, text])],
  ]);
  const roots = authorities.flatMap((each) => [...each.roots, ...each.intermediates]).map((each) => digestOf(each));
  const parts = [patterns, keys.map(({ spki }) => digestOf(spki)), [...digests].sort(), roots];
  return digestOf(Buffer.from(JSON.stringify(parts)));
}

/** Compares an entry with what is watched. The entry's signature is not verified: the log has done that, and need not be trusted. */
export function search(body: Uint8Array, watch: Watch): Seen {
  const json = parsedBody(body);
  const kind = isObject(json) ? `${textOf(json["kind"])} ${textOf(json["apiVersion"])}` : "";
  const digest = entryDigest(body);
  const isMalformed = json === undefined ? !isOtherJson(body) : isAmbiguous(kind, json);
  if (digest !== undefined && watch.expected.has(digest) && !isMalformed) return "nothing";
  const about = { kind, ...(digest === undefined ? {} : { digest }) };
  let stated: Uint8Array[] | undefined;
  try {
    stated = everyStatedKey({ canonicalizedBody: Buffer.from(body) });
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
  }
  const signers = (stated ?? []).flatMap(readAll);
  const seen = signers.map((each) => searchSigner(each, watch));
  const match = seen.find((each) => typeof each === "object");
  if (match) return { ...about, ...match };
  const signer = signers[0] ? nameOf(signers[0]) : "unknown";
  if (isMalformed) return { ...about, by: "malformed", signer };
  const isByOrder = seen.length > 0 && seen.every((each) => each === "ordered");
  if (!isByOrder && digest !== undefined && watch.digests.has(digest)) return { ...about, by: "digest", signer };
  if (seen.length === 0 || seen.includes("unparsed")) return "unparsed";
  return seen.includes("untrusted") ? "untrusted" : "nothing";
}

type SeenSigner = Exclude<Seen, Match> | "ordered" | Pick<Match, "by" | "signer" | "notBefore">;

function searchSigner({ spki, leaf }: Signer, watch: Watch): SeenSigner {
  if (leaf) return searchCertificate(leaf, watch);
  if (!spki) return "unparsed";
  if (isIn(watch.ordered.keys, spki)) return "ordered";
  return isIn(watch.keys, spki) ? { by: "key", signer: nameOf({ spki }) } : "nothing";
}

/** Whether a key is one of a list. @param spki DER */
export const isIn = (keys: readonly PublicKey[], spki: Uint8Array) => keys.some((each) => sameBytes(each.spki, spki));

function searchCertificate(der: Uint8Array, { identities, keys, authorities, ordered, trust }: Watch): SeenSigner {
  const { asn1: leaf, key, native } = parseCertificate(der); // readAll() has parsed it
  const spki = key.export({ type: "spki", format: "der" });
  const by = isIn(keys, spki) ? "key" : identities.some((identity) => isOf(leaf, identity)) ? "identity" : "authority";
  // Anyone can record a certificate of their own making; only one from a trusted authority is a signature in our name.
  const issuers = by === "authority" ? authorities.filter((each) => hasName(each, native.issuer)) : trust.authorities;
  if (by === "authority" && issuers.length === 0) return "nothing";
  const isTrusted = isIssued(der, { ...trust, authorities: issuers }, leaf.notBefore);
  if (by === "authority" && !isTrusted) return "nothing";
  if (isIn(ordered.keys, spki) || (isTrusted && isOrdered(leaf, ordered))) return "ordered";
  if (by === "identity" && !isTrusted) return "untrusted";
  const signer = nameOf({ leaf: der });
  return { by, signer, notBefore: leaf.notBefore.toISOString() };
}

/** Whether one of an authority's certificates has a subject, as text. */
function hasName({ roots, intermediates }: Authority, subject: string): boolean {
  return [...roots, ...intermediates].some((each) => parseCertificate(each).native.subject === subject);
}

/** Whether a certificate is for a job of one of our commits, or for an identity that signs by our order. */
export function isOrdered(leaf: X509Certificate, { commits, identities }: Ordered): boolean {
  if (identities.some((identity) => isOf(leaf, identity))) return true;
  return commits.size > 0 && commits.has(tried(() => fulcioExtensionText(leaf, SOURCE_REPOSITORY_DIGEST)) ?? "");
}

/** Whether a certificate has an identity. */
export function isOf(leaf: X509Certificate, identity: IdentityPolicy): boolean {
  try {
    verifyIdentity(leaf, identity);
    return true;
  } catch (error) {
    if (error instanceof CheckFailed) return false;
    throw error;
  }
}

/** Whether a certificate has a path to one of the authorities. */
export function isIssued(leaf: Uint8Array, trust: TrustMaterial, at: Date): boolean {
  try {
    verifyCertificate({ kind: "certificate", leaf, chain: [], binding: false }, trust, [at]);
    return true;
  } catch (error) {
    if (error instanceof CheckFailed) return false;
    throw error;
  }
}

/** A signer in an entry: a certificate, DER, or a key; neither if it is malformed. */
interface Signer {
  readonly leaf?: Uint8Array;
  readonly spki?: Uint8Array;
}

/** The certificates and keys that an entry states as one signer, PEM or DER. There is one, unless two parsers may disagree. */
function readAll(stated: Uint8Array): Signer[] {
  if (stated[0] === 0x30) return [read({ label: "", bytes: stated })];
  const blocks = readPem(Buffer.from(stated).toString("latin1"));
  return blocks.length === 0 ? [{}] : blocks.map(read);
}

function read({ label, bytes }: PemBlock): Signer {
  if (label === "" || label === "CERTIFICATE") {
    if (tried(() => parseCertificate(bytes))) return { leaf: bytes };
    if (label !== "") return {};
  }
  const type = label === "RSA PUBLIC KEY" ? "pkcs1" : "spki";
  const key = tried(() => createPublicKey({ key: Buffer.from(bytes), format: "der", type }));
  return key ? { spki: key.export({ type: "spki", format: "der" }) } : {};
}

/** Kinds of entries that are read whole. Others may contain names that their signer has chosen. */
const WHOLE = /^(hashedrekord|dsse|intoto) /;

/**
 * Whether an entry has two members that are the same for a parser that does not compare case, as Go's encoding/json. Rekor writes
 * no such entries, but a log that conspires with a signer may.
 */
function isAmbiguous(kind: string, json: unknown): boolean {
  if (isObject(json) && new Set(Object.keys(json).map(folded)).size < Object.keys(json).length) return true;
  if (!WHOLE.test(kind)) return false;
  const open: unknown[] = [json];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== "object" || value === null) continue;
    const names = Object.keys(value);
    if (!Array.isArray(value) && new Set(names.map(folded)).size < names.length) return true;
    open.push(...Object.values(value));
  }
  return false;
}

/** A name without case, as Go folds it: the long s and the Kelvin sign are letters of ASCII. */
const folded = (name: string) => name.replaceAll("\u017f", "s").replaceAll("\u212a", "k").toLowerCase();

/** Whether an entry that was refused is JSON for a tolerant parser, of a kind that tsign does not read whole. */
function isOtherJson(body: Uint8Array): boolean {
  const json = tried(() => JSON.parse(Buffer.from(body).toString("utf8")) as unknown);
  return isObject(json) && !WHOLE.test(`${textOf(json["kind"])} `);
}

/** The result of a parser; undefined if it refuses its input. */
function tried<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function nameOf({ leaf, spki }: Signer): string {
  if (leaf) return claimedSigner({ key: { kind: "certificate", leaf, chain: [], binding: false } });
  return spki ? `key ${digestOf(spki)}` : "a malformed key";
}
