import { readSignatureLayer } from "../evidence/legacy/read.ts";
import { type SignatureImageStyle, signatureImage, signatureLayer } from "../evidence/legacy/write.ts";
import { ANNOTATION } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { type Digest, messageOf } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { defaultHashes, verifySignature } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { appendToTag } from "../oci/append.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../oci/types.ts";

/**
 * Adds a signature to the `.sig` image of the signed digest, and keeps signatures that others add at the same time. A second
 * signature of the same payload by the same key is not stored (cosign's DupeDetector).
 */
export async function storeLegacySignature(options: {
  io: Pick<Io, "sleep" | "now" | "signal">;
  store: ImageStore;
  digest: Digest;
  tagPrefix: string;
  evidence: Evidence;
  key: PublicKey;
  style: SignatureImageStyle;
}): Promise<Descriptor> {
  const { io, store, evidence, key, style } = options;
  const layer = signatureLayer(evidence);
  if (evidence.content.kind === "simple-signing") await store.putBlob(evidence.content.payload);
  const merge = async (current: StoredManifest | undefined) =>
    (await hasSignature(current, { layer, evidence, key }))
      ? undefined
      : signatureImage({ store, current, layer, style });
  return appendToTag({ io, store, tag: attachmentTag(options.digest, "sig", options.tagPrefix), merge });
}

/** Stores a signature as a separate OCI 1.1 referrer (`--registry-referrers-mode oci-1-1`). */
export async function storeLegacyReferrer(options: {
  store: ImageStore;
  evidence: Evidence;
  style: SignatureImageStyle;
}): Promise<Descriptor> {
  const { store, evidence, style } = options;
  const layer = signatureLayer(evidence);
  if (evidence.content.kind === "simple-signing") await store.putBlob(evidence.content.payload);
  const { bytes, mediaType } = await signatureImage({ store, current: undefined, layer, style });
  return store.putReferrer(bytes, { mediaType });
}

/** Whether the image already has a layer with this payload, these annotations and a signature by this key. */
async function hasSignature(
  current: StoredManifest | undefined,
  { layer, evidence, key }: { layer: Descriptor; evidence: Evidence; key: PublicKey },
): Promise<boolean> {
  if (evidence.content.kind !== "simple-signing") return false;
  const { payload } = evidence.content;
  const wanted = Object.entries(layer.annotations ?? {}).filter(([name]) => name !== ANNOTATION.signature);
  for (const existing of current?.manifest.layers ?? []) {
    const annotations = existing.annotations ?? {};
    const alike =
      existing.digest === layer.digest &&
      existing.mediaType === layer.mediaType &&
      wanted.every(([name, value]) => annotations[name] === value);
    if (alike && (await isSignedBy({ payload, annotations, key }))) return true;
  }
  return false;
}

async function isSignedBy(layer: {
  payload: Uint8Array;
  annotations: Readonly<Record<string, string>>;
  key: PublicKey;
}): Promise<boolean> {
  try {
    const { content } = readSignatureLayer({ ...layer, origin: { kind: "sig-tag", where: "" } });
    const { signature } = content;
    return await verifySignature({
      key: layer.key,
      message: messageOf(layer.payload),
      signature,
      hashes: defaultHashes(layer.key),
    });
  } catch {
    return false; // an unreadable layer is another signature
  }
}
