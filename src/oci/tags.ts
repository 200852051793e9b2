import { type Digest, parseDigest } from "../format/digest.ts";

/** The kinds of image cosign attaches by tag. */
export type AttachmentKind = "sig" | "att" | "sbom";

/** Tag of what is attached to an image in the legacy form: `[prefix]sha256-<hex>.sig` (cosign's SIGNATURE_SPEC). */
export function attachmentTag(digest: Digest, kind: AttachmentKind, prefix = ""): string {
  return `${prefix}${fallbackTag(digest)}.${kind}`;
}

/** Tag of the index that stands in for the referrers API (OCI distribution spec, "Referrers Tag Schema"). */
export function fallbackTag(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${algorithm}-${hex.slice(0, 64)}`;
}
