import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { appendToTag, contentChanged } from "../oci/append.ts";
import { INDEX_TYPE } from "../oci/manifest.ts";
import { withoutReferrers } from "../oci/registry/fallback-index.ts";
import { fallbackTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../oci/types.ts";
import { isGone, refusalOf } from "./gone.ts";
import { layerIdentity } from "./legacy/merge.ts";
import { signatureImageWithout } from "./legacy/write.ts";

type WriteIo = Pick<Io, "sleep" | "now" | "signal">;

/**
 * Takes referrers off the fallback index of an image, if there is one and it lists them. Entries that others add at the same time
 * are kept. An index of which nothing is left is deleted, or written empty if the registry does not delete.
 *
 * @param options.mayRefuse a registry that refuses to look up the tag has no index; otherwise its error is thrown
 */
export async function withdrawReferrers(
  io: WriteIo,
  store: ImageStore,
  options: { subject: Digest; gone: ReadonlySet<Digest>; mayRefuse: boolean },
): Promise<void> {
  const { subject, gone } = options;
  const tag = fallbackTag(subject);
  const index = await fallbackIndex(store, options);
  if (!index || !lists(index, gone) || (await deletedIfEmpty(io, store, { ...options, index }))) return;
  const deleted = contentChanged(store, tag);
  try {
    await appendToTag({
      io,
      store,
      tag,
      async merge(current) {
        if (!current) throw deleted;
        return lists(current, gone) ? { bytes: withoutReferrers(current, gone), mediaType: INDEX_TYPE } : undefined;
      },
    });
  } catch (error) {
    if (error !== deleted) throw error;
  }
}

/** The index under the fallback tag; undefined if there is none. */
async function fallbackIndex(
  store: ImageStore,
  { subject, mayRefuse }: { subject: Digest; mayRefuse: boolean },
): Promise<StoredManifest | undefined> {
  try {
    const index = await store.manifest(fallbackTag(subject));
    return index?.descriptor.digest === subject ? undefined : index; // some registries return the image itself for this tag
  } catch (error) {
    if (!mayRefuse) throw error;
    refusalOf(error);
    return undefined;
  }
}

function lists({ manifest }: StoredManifest, gone: ReadonlySet<string>): boolean {
  return manifest.manifests?.some(({ digest }) => gone.has(digest)) ?? false;
}

/**
 * Deletes an index that lists nothing else. It is deleted by its digest: an index that another writer has put under the tag meanwhile
 * has another digest, and stays.
 *
 * @returns whether the fallback index no longer lists the referrers
 */
async function deletedIfEmpty(
  io: Pick<Io, "sleep" | "signal">,
  store: ImageStore,
  options: { subject: Digest; index: StoredManifest; gone: ReadonlySet<string>; mayRefuse: boolean },
): Promise<boolean> {
  const { index, gone } = options;
  if (!index.manifest.manifests?.every(({ digest }) => gone.has(digest))) return false;
  try {
    await store.delete(index.descriptor.digest);
  } catch (error) {
    refusalOf(error);
    return false;
  }
  let latest: StoredManifest | undefined;
  await isGone(io, async () => {
    latest = await fallbackIndex(store, options);
    return latest?.descriptor.digest !== index.descriptor.digest;
  });
  return !latest || !lists(latest, gone);
}

/**
 * Removes layers from the signature image under a tag by writing it without them. Layers that others add at the same time are kept.
 *
 * @param layers.required layers that must still be there: those that replace the removed ones
 * @throws TsignError "registry", and nothing is written, when one of these is missing
 */
export async function withdrawLayers(
  io: WriteIo,
  store: ImageStore,
  { tag, ...layers }: { tag: string; removed: readonly Descriptor[]; required: readonly Descriptor[] },
): Promise<void> {
  const removed = new Set(layers.removed.map(layerIdentity));
  await appendToTag({
    io,
    store,
    tag,
    async merge(current) {
      const there = new Set(current?.manifest.layers.map(layerIdentity));
      if (!current || !layers.required.every((layer) => there.has(layerIdentity(layer))))
        throw contentChanged(store, tag);
      if (!current.manifest.layers.some((layer) => removed.has(layerIdentity(layer)))) return undefined;
      return signatureImageWithout(store, current, (layer) => removed.has(layerIdentity(layer)));
    },
  });
}
