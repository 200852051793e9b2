import { readEnvelope } from "../evidence/envelope.ts";
import { attestationLayer, type SignatureImageStyle, signatureImage } from "../evidence/legacy/write.ts";
import { BUNDLE_ANNOTATION, DSSE_MEDIA_TYPE } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { findReferrersOf, type Listed } from "../evidence/remove.ts";
import { readStatement } from "../evidence/statement.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { appendToTag } from "../oci/append.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../oci/types.ts";

/** An attestation to store in the legacy form. */
export interface LegacyAttestation {
  readonly evidence: Evidence;
  /** JSON of the DSSE envelope: the exact bytes that were logged and timestamped. */
  readonly envelope: Uint8Array;
  /** Value of the annotation; undefined for an envelope from elsewhere. */
  readonly predicateType: string | undefined;
}

/**
 * Adds an attestation to the `.att` image of a digest, and keeps attestations that others add at the same time.
 *
 * @param options.replace whether to remove the other attestations with the same predicate type
 */
export async function storeLegacyAttestation(options: {
  io: Pick<Io, "sleep" | "now" | "signal">;
  store: ImageStore;
  digest: Digest;
  tagPrefix: string;
  attestation: LegacyAttestation;
  replace: boolean;
  maxBytes: number;
  style: SignatureImageStyle;
}): Promise<Descriptor> {
  const { io, store, attestation, replace, style, maxBytes } = options;
  const layer = attestationLayer(attestation.evidence, attestation);
  await store.putBlob(attestation.envelope);
  const merge = async (current: StoredManifest | undefined) => {
    const layers = current?.manifest.layers ?? [];
    const { predicateType } = attestation;
    const outdated =
      replace && predicateType !== undefined
        ? await layersOfType(store, layers, { predicateType, except: layer.digest, maxBytes })
        : new Set<Descriptor>();
    const isThere = layers.some((each) => isSame(each, layer));
    if (isThere && outdated.size === 0) return undefined;
    const kept = layers.filter((each) => !outdated.has(each) && !isSame(each, layer));
    const base = current && { ...current, manifest: { ...current.manifest, layers: kept } };
    return signatureImage({ store, current: base, layer, style });
  };
  return appendToTag({ io, store, tag: attachmentTag(options.digest, "att", options.tagPrefix), merge });
}

function isSame(existing: Descriptor, layer: Descriptor): boolean {
  const wanted = Object.entries(layer.annotations ?? {});
  return existing.digest === layer.digest && wanted.every(([name, value]) => existing.annotations?.[name] === value);
}

async function layersOfType(
  store: ImageStore,
  layers: readonly Descriptor[],
  options: { predicateType: string; except: Digest; maxBytes: number },
): Promise<Set<Descriptor>> {
  const found = new Set<Descriptor>();
  for (const layer of layers) {
    if (layer.digest === options.except || layer.mediaType !== DSSE_MEDIA_TYPE) continue;
    const bytes = await store.blob(layer, { maxBytes: options.maxBytes });
    if (predicateTypeIn(bytes) === options.predicateType) found.add(layer);
  }
  return found;
}

/** Returns the predicate type of an envelope; undefined for an unreadable one, which is not replaced. */
function predicateTypeIn(envelope: Uint8Array): string | undefined {
  try {
    return readStatement(readEnvelope(envelope, "")).predicateType;
  } catch {
    return undefined;
  }
}

/** Returns the bundles of an image with an annotation of the predicate type. */
export async function bundlesOfType(store: ImageStore, image: Digest, predicateType: string): Promise<Listed[]> {
  const found: Listed[] = [];
  for (const listed of await findReferrersOf(store, image, ["signature"])) {
    const stored = listed.there ? await store.manifest(listed.digest) : undefined;
    if (stored?.manifest.annotations[BUNDLE_ANNOTATION.predicateType] === predicateType) found.push(listed);
  }
  return found;
}
