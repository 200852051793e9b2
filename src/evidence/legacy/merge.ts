import type { Merge } from "../../oci/append.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../../oci/types.ts";
import { signatureImage } from "./write.ts";

/**
 * Merges a signature or attestation image into the one under its tag, by adding the missing layers. The layers' blobs must be
 * stored already.
 *
 * @param options.exclusive replace the existing image, for images with a single content (SBOMs)
 */
export function mergeLayers(options: { store: ImageStore; added: StoredManifest; exclusive: boolean }): Merge {
  const { store, added, exclusive } = options;
  const unchanged = { bytes: added.bytes, mediaType: added.descriptor.mediaType };
  return async (current) => {
    if (!current) return unchanged;
    if (current.descriptor.digest === added.descriptor.digest) return undefined;
    if (exclusive || missingLayers(current, added).length === 0) {
      return exclusive || missingLayers(added, current).length > 0 ? unchanged : undefined;
    }
    let merged = current;
    for (const layer of missingLayers(added, current)) {
      const style = { dockerMediaTypes: false, created: undefined, subject: undefined };
      const { bytes, mediaType } = await signatureImage({ store, current: merged, layer, style });
      const manifest = { ...merged.manifest, layers: [...merged.manifest.layers, layer] };
      merged = { descriptor: { ...merged.descriptor, mediaType }, bytes, manifest };
    }
    return merged === current ? undefined : { bytes: merged.bytes, mediaType: merged.descriptor.mediaType };
  };
}

/** The layers of the first image that the second does not have; layers with the same payload differ in their annotations. */
function missingLayers(one: StoredManifest, other: StoredManifest): Descriptor[] {
  const there = new Set(other.manifest.layers.map(layerIdentity));
  return one.manifest.layers.filter((layer) => !there.has(layerIdentity(layer)));
}

/** A text that is the same for two layers only if they have the same payload and annotations. */
export function layerIdentity({ digest, annotations = {} }: Descriptor): string {
  return JSON.stringify([digest, Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
