import type { Digest } from "../format/digest.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { ImageStore, Manifest, StoredManifest } from "../oci/types.ts";
import { MAX_CANDIDATES, SBOM_ARTIFACT_TYPE } from "./media-types.ts";

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
  const referrers: Manifest[] = [];
  for (const { digest } of (await store.referrers(image)).slice(0, MAX_CANDIDATES)) {
    const stored = await store.manifest(digest); // a listing may leave the artifact type out, or be anyone's
    if (stored?.manifest.subject?.digest === image && isSbom(stored)) referrers.push(stored.manifest);
  }
  const last = referrers.at(-1);
  if (last) return { manifest: last, referrers: referrers.length };
  const tagged = await store.manifest(attachmentTag(image, "sbom", options.tagPrefix));
  return tagged && { manifest: tagged.manifest, referrers: 0 };
}

/** Whether a referrer is what `attach sbom --registry-referrers-mode=oci-1-1` stores. */
export function isSbom({ manifest }: StoredManifest): boolean {
  return (manifest.artifactType ?? manifest.config?.mediaType) === SBOM_ARTIFACT_TYPE;
}
