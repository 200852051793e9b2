import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import { withoutReferrers } from "../oci/registry/fallback-index.ts";
import { fallbackTag } from "../oci/tags.ts";
import type { ImageStore } from "../oci/types.ts";
import { BUNDLE_MEDIA_TYPE_PREFIX } from "./media-types.ts";

/**
 * Deletes a tag. A registry that deletes by digest only is asked so, which takes the digest's other tags along: not done
 * when that digest is the image's own.
 *
 * @returns whether there was anything to delete
 */
export async function removeTag(store: ImageStore, tag: string, image: Digest): Promise<boolean> {
  try {
    return await store.delete(tag);
  } catch (error) {
    if (!(error instanceof TsignError) || error.code !== "registry") throw error;
    const target = await store.resolve(tag);
    if (!target) return false;
    if (target.digest === image) throw error;
    return store.delete(target.digest);
  }
}

/**
 * Deletes the bundles that refer to an image, and what lists them in a registry without the referrers API, so that no
 * listing points at what is gone.
 *
 * @returns digests of the deleted manifests
 */
export async function removeBundles(store: ImageStore, image: Digest): Promise<Digest[]> {
  const removed: Digest[] = [];
  for (const { digest } of await store.referrers(image)) {
    const stored = await store.manifest(digest);
    const [layer] = stored?.manifest.layers ?? [];
    const isBundle = stored === undefined || layer?.mediaType.startsWith(BUNDLE_MEDIA_TYPE_PREFIX);
    if (!isBundle) continue;
    await store.delete(digest);
    removed.push(digest);
  }
  await unlist(store, image, new Set(removed));
  return removed;
}

async function unlist(store: ImageStore, image: Digest, gone: ReadonlySet<string>): Promise<void> {
  const tag = fallbackTag(image);
  const index = gone.size > 0 ? await store.manifest(tag) : undefined;
  const entries = index?.manifest.manifests;
  if (!index || !entries?.some(({ digest }) => gone.has(digest))) return;
  if (entries.every(({ digest }) => gone.has(digest))) await removeTag(store, tag, image);
  else await store.putManifest(withoutReferrers(index, gone), { mediaType: index.manifest.mediaType, tag });
}
