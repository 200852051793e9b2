import type { Merge } from "../../oci/append.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../../oci/types.ts";
import { signatureImage } from "./write.ts";

/**
 * Puts a signature or attestation image under its tag without losing the layers of one that is there: those it lacks are
 * added to it. The layers' blobs must be stored already.
 *
 * @param options.exclusive replaces what is there, for images that hold one thing only (SBOMs)
 */
export function mergeLayers(options: { store: ImageStore; added: StoredManifest; exclusive: boolean }): Merge {
  const { store, added, exclusive } = options;
  const asItIs = { bytes: added.bytes, mediaType: added.descriptor.mediaType };
  return async (current) => {
    if (!current) return asItIs;
    if (current.descriptor.digest === added.descriptor.digest) return undefined;
    if (exclusive || lacking(current, added).length === 0) {
      return exclusive || lacking(added, current).length > 0 ? asItIs : undefined;
    }
    let merged = current;
    for (const layer of lacking(added, current)) {
      const style = { dockerMediaTypes: false, created: undefined, subject: undefined };
      const { bytes, mediaType } = await signatureImage({ store, current: merged, layer, style });
      const manifest = { ...merged.manifest, layers: [...merged.manifest.layers, layer] };
      merged = { descriptor: { ...merged.descriptor, mediaType }, bytes, manifest };
    }
    return merged === current ? undefined : { bytes: merged.bytes, mediaType: merged.descriptor.mediaType };
  };
}

/** Layers that one has and the other has not. Of two signatures over one payload, only the annotations differ. */
function lacking(one: StoredManifest, other: StoredManifest): Descriptor[] {
  const there = new Set(other.manifest.layers.map(identity));
  return one.manifest.layers.filter((layer) => !there.has(identity(layer)));
}

function identity({ digest, annotations = {} }: Descriptor): string {
  return JSON.stringify([digest, Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
