import { type Digest, parseDigest } from "../format/digest.ts";

/** The kinds of image cosign attaches by tag. */
export type AttachmentKind = "sig" | "att" | "sbom";

/** Returns the tag of an image's legacy attachments: `[prefix]sha256-<hex>.sig` (cosign's SIGNATURE_SPEC). */
export function attachmentTag(digest: Digest, kind: AttachmentKind, prefix = ""): string {
  return `${prefix}${fallbackTag(digest)}.${kind}`;
}

/** Returns the tag of the index used without the referrers API (OCI distribution spec, "Referrers Tag Schema"). */
export function fallbackTag(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${algorithm}-${hex.slice(0, 64)}`;
}
