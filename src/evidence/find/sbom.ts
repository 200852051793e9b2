import type { Digest } from "../../format/digest.ts";
import { attachmentTag } from "../../oci/tags.ts";
import type { ImageStore, Manifest } from "../../oci/types.ts";
import { isSbom, mayBeOurs } from "../kinds.ts";

/** The SBOMs attached to an image, unsigned: the newest referrer's, else what the `.sbom` tag holds. */
export interface FoundSbom {
  readonly manifest: Manifest;
  /** How many referrers hold one; 0 for a tag. */
  readonly referrers: number;
}

/**
 * Finds what `attach sbom` stored, in the order cosign looks.
 *
 * @returns undefined when there is none
 */
export async function findSbom(
  store: ImageStore,
  image: Digest,
  options: { tagPrefix: string },
): Promise<FoundSbom | undefined> {
  let last: Manifest | undefined;
  let referrers = 0;
  for await (const entry of store.referrers(image)) {
    if ("unreadable" in entry || !mayBeOurs(entry)) continue;
    const stored = await store.manifest(entry.digest); // a listing may leave the artifact type out, or be anyone's
    if (stored?.manifest.subject?.digest !== image || !isSbom(stored)) continue;
    last = stored.manifest;
    referrers++;
  }
  if (last) return { manifest: last, referrers };
  const tagged = await store.manifest(attachmentTag(image, "sbom", options.tagPrefix));
  return tagged && { manifest: tagged.manifest, referrers: 0 };
}
