import assert from "node:assert/strict";
import type { Digest } from "../../src/format/digest.ts";
import { attachmentTag } from "../../src/oci/tags.ts";
import type { ImageStore } from "../../src/oci/types.ts";
import { listed } from "./storage.ts";

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A stored attestation: its annotations, with JSON parsed, and its content. */
export interface StoredDocument {
  annotations: Record<string, Json>;
  content: Json;
}

/** Reads the only attestation of an image in a form. */
export async function readStored(store: ImageStore, image: Digest, legacy: boolean): Promise<Json> {
  const [referrer] = legacy ? [] : await listed(store, image);
  const stored =
    (await store.manifest(referrer?.digest ?? attachmentTag(image, "att"))) ?? assert.fail("nothing stored");
  const [layer] = stored.manifest.layers;
  assert.ok(layer);
  const content = JSON.parse(Buffer.from(await store.blob(layer, { maxBytes: 1e6 })).toString());
  const annotations = legacy ? (layer.annotations ?? {}) : stored.manifest.annotations;
  const entries = Object.entries(annotations)
    .filter(([name]) => name !== "org.opencontainers.image.created") // not part of the evidence
    .map(([name, value]): [string, Json] => [name, value.startsWith("{") ? JSON.parse(value) : value]);
  return { annotations: Object.fromEntries(entries), content };
}

/** Replaces an image's attestations by a document. */
export async function replaceStored(
  store: ImageStore,
  image: Digest,
  { annotations, content }: StoredDocument,
): Promise<void> {
  const tag = attachmentTag(image, "att");
  const texts = Object.fromEntries(
    Object.entries(annotations).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );
  const blob = await store.putBlob(Buffer.from(JSON.stringify(content)));
  const [referrer] = await listed(store, image);
  const { manifest, descriptor } = (await store.manifest(referrer?.digest ?? tag)) ?? assert.fail("nothing stored");
  const [old] = manifest.layers;
  const layer = { ...old, digest: blob.digest, size: blob.size, ...(referrer ? {} : { annotations: texts }) };
  const { mediaType } = descriptor;
  const { config, artifactType, subject } = manifest;
  const parts = { schemaVersion: 2, mediaType, config, layers: [layer] };
  if (!referrer) await store.putManifest(Buffer.from(JSON.stringify(parts)), { mediaType, tag });
  else {
    await store.delete(referrer.digest);
    const bytes = Buffer.from(JSON.stringify({ ...parts, annotations: texts, subject, artifactType }));
    await store.putReferrer(bytes, { mediaType });
  }
}
