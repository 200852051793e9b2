import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { appendToTag } from "../oci/append.ts";
import { withoutReferrers } from "../oci/registry/fallback-index.ts";
import { fallbackTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { layerIdentity } from "./legacy/merge.ts";
import { signatureImageWithout } from "./legacy/write.ts";

type WriteIo = Pick<Io, "sleep" | "now" | "signal">;

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/**
 * Takes referrers off the fallback index of an image, if there is one and it lists them. Entries that others add at the same time
 * are kept.
 */
export async function withdrawReferrers(
  io: WriteIo,
  store: ImageStore,
  subject: Digest,
  gone: ReadonlySet<Digest>,
): Promise<void> {
  const tag = fallbackTag(subject);
  const index = await store.manifest(tag);
  // Some registries return the image itself for this tag.
  if (!index?.manifest.manifests?.some(({ digest }) => gone.has(digest)) || index.descriptor.digest === subject) return;
  await appendToTag({
    io,
    store,
    tag,
    async merge(current) {
      if (!current) throw changed(store, tag);
      if (!current.manifest.manifests?.some(({ digest }) => gone.has(digest))) return undefined;
      return { bytes: withoutReferrers(current, gone), mediaType: INDEX_TYPE };
    },
  });
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
      if (!current || !layers.required.every((layer) => there.has(layerIdentity(layer)))) throw changed(store, tag);
      if (!current.manifest.layers.some((layer) => removed.has(layerIdentity(layer)))) return undefined;
      return signatureImageWithout(store, current, (layer) => removed.has(layerIdentity(layer)));
    },
  });
}

/** The error for a tag whose content no longer has what the removal is based on. */
function changed(store: ImageStore, tag: string): TsignError {
  return new TsignError("registry", `write ${store.name}:${tag}: its content has changed`, {
    hint: "run the command again",
  });
}
