import type { Digest } from "../../format/digest.ts";
import { attachmentTag } from "../../oci/tags.ts";
import type { ImageStore, Manifest } from "../../oci/types.ts";
import { isSbom, mayBeOurs } from "../kinds.ts";

/** An unsigned SBOM attached to an image: the newest referrer, or else the `.sbom` tag. */
export interface FoundSbom {
  readonly manifest: Manifest;
  /** Number of referrers with an SBOM; 0 for a tag. */
  readonly referrers: number;
}

/**
 * Finds an SBOM stored by `attach sbom`, in cosign's order.
 *
 * @returns undefined if there is none
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
    const stored = await store.manifest(entry.digest); // the list may be forged or lack the type
    if (stored?.manifest.subject?.digest !== image || !isSbom(stored)) continue;
    last = stored.manifest;
    referrers++;
  }
  if (last) return { manifest: last, referrers };
  const tagged = await store.manifest(attachmentTag(image, "sbom", options.tagPrefix));
  return tagged && { manifest: tagged.manifest, referrers: 0 };
}
