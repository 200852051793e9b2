import { createPublicKey } from "node:crypto";
import type { X509Certificate } from "@sigstore/core";
import { entryDigest, parsedBody } from "../evidence/entry-body.ts";
import { claimedSigner } from "../evidence/find/claimed-signer.ts";
import { readCertificates } from "../evidence/legacy/read.ts";
import { sameBytes } from "../format/bytes.ts";
import { fulcioExtensionText } from "../format/certificate-names.ts";
import { digestOf } from "../format/digest.ts";
import { isObject, textOf } from "../format/json.ts";
import { wrapPem } from "../format/pem.ts";
import type { PublicKey } from "../keys/types.ts";
import { parseCertificate } from "../trust/certificate.ts";
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
  /** Commits whose jobs sign by our order: their certificates are no findings. */
  readonly commits: ReadonlySet<string>;
  /** The authorities that issue certificates for the identities. */
  readonly trust: TrustMaterial;
}

/** What was found in an entry. */
export interface Match {
  readonly kind: string;
  readonly digest?: string;
  readonly by: "identity" | "key" | "digest";
  readonly signer: string;
  readonly notBefore?: string;
  /** Hash of what a certificate transparency log has recorded, hex. */
  readonly certificate?: string;
}

/** "unparsed": an entry whose signers are unknown. "untrusted": our identity, in a certificate that no trusted authority issued. */
export type Seen = "nothing" | "unparsed" | "untrusted" | Match;

/** A digest of what a watch looks for, to notice a change. */
export function watchDigest({ identities, keys, digests }: Watch): string {
  const patterns = identities.map(({ subject, issuer, extensions, extensionPatterns = new Map() }) => [
    subject.map((each) => each.text),
    issuer.map((each) => each.text),
    [...extensions, ...[...extensionPatterns].map(([oid, { text }]) => [oid, text])],
  ]);
  const parts = [patterns, keys.map(({ spki }) => digestOf(spki)), [...digests].sort()];
  return digestOf(Buffer.from(JSON.stringify(parts)));
}

/** Compares an entry with what is watched. The entry's signature is not verified: the log has done that, and need not be trusted. */
export function search(body: Uint8Array, watch: Watch): Seen {
  const json = parsedBody(body);
  const kind = isObject(json) ? `${textOf(json["kind"])} ${textOf(json["apiVersion"])}` : "";
  const digest = entryDigest(body);
  if (digest !== undefined && watch.expected.has(digest)) return "nothing";
  const about = { kind, ...(digest === undefined ? {} : { digest }) };
  let stated: Uint8Array[] | undefined;
  try {
    stated = everyStatedKey({ canonicalizedBody: Buffer.from(body) });
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
  }
  let isUntrusted = false;
  let isUnparsed = stated === undefined;
  for (const each of stated ?? []) {
    const seen = searchKey(each, watch);
    if (typeof seen === "object") return { ...about, ...seen };
    if (seen === "untrusted") isUntrusted = true;
    if (seen === "unparsed") isUnparsed = true;
  }
  if (digest !== undefined && watch.digests.has(digest)) {
    return { ...about, by: "digest", signer: stated?.[0] ? nameOf(stated[0]) : "unknown" };
  }
  if (isUnparsed) return "unparsed";
  return isUntrusted ? "untrusted" : "nothing";
}

type SeenKey = Exclude<Seen, Match> | Pick<Match, "by" | "signer" | "notBefore">;

function searchKey(stated: Uint8Array, watch: Watch): SeenKey {
  const { spki, leaf } = read(stated);
  if (leaf) return searchCertificate(leaf, watch);
  if (!spki) return "unparsed";
  const isOurs = watch.keys.some((key) => sameBytes(key.spki, spki));
  return isOurs ? { by: "key", signer: nameOf(stated) } : "nothing";
}

function searchCertificate(der: Uint8Array, { identities, keys, commits, trust }: Watch): SeenKey {
  const { asn1: leaf, key } = parseCertificate(der); // read() has parsed it
  const signer = claimedSigner({ key: { kind: "certificate", leaf: der, chain: [], binding: false } });
  const notBefore = leaf.notBefore.toISOString();
  const spki = key.export({ type: "spki", format: "der" });
  if (keys.some((each) => sameBytes(each.spki, spki))) return { by: "key", signer, notBefore };
  if (!identities.some((identity) => isOf(leaf, identity))) return "nothing";
  // Anyone can record a certificate of their own making; only one from a trusted authority is a signature in our name.
  if (isOrdered(leaf, commits)) return "nothing";
  return isIssued(der, trust, leaf.notBefore) ? { by: "identity", signer, notBefore } : "untrusted";
}

/** Whether the certificate of a job is for one of these commits. */
export function isOrdered(leaf: X509Certificate, commits: ReadonlySet<string>): boolean {
  return commits.size > 0 && commits.has(fulcioExtensionText(leaf, SOURCE_REPOSITORY_DIGEST) ?? "");
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

/** Whether a trusted authority has issued a certificate that is valid at a time. */
export function isIssued(leaf: Uint8Array, trust: TrustMaterial, at: Date): boolean {
  try {
    verifyCertificate({ kind: "certificate", leaf, chain: [], binding: false }, trust, [at]);
    return true;
  } catch (error) {
    if (error instanceof CheckFailed) return false;
    throw error;
  }
}

/** The certificate or the key of an entry, PEM or DER; neither if it is malformed. */
function read(stated: Uint8Array): { leaf?: Uint8Array; spki?: Uint8Array } {
  const isDer = stated[0] === 0x30;
  const text = isDer ? "" : wrapPem(Buffer.from(stated).toString("latin1"));
  const [leaf] = isDer ? [stated] : (tried(() => readCertificates(text, "log entry")) ?? []);
  if (leaf && tried(() => parseCertificate(leaf))) return { leaf };
  const key = tried(() => createPublicKey(isDer ? { key: Buffer.from(stated), format: "der", type: "spki" } : text));
  return key ? { spki: key.export({ type: "spki", format: "der" }) } : {};
}

/** The result of a parser; undefined if it refuses its input. */
function tried<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

function nameOf(stated: Uint8Array): string {
  const { leaf, spki } = read(stated);
  if (leaf) return claimedSigner({ key: { kind: "certificate", leaf, chain: [], binding: false } });
  return spki ? `key ${digestOf(spki)}` : "a malformed key";
}
