import { type Digest, digestOf } from "../../src/format/digest.ts";
import { readManifest } from "../../src/oci/manifest.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../../src/oci/types.ts";

/** A repository in memory, whose referrers are listed by their manifests' subjects. */
export function memoryStore(name = "registry.example/app"): ImageStore {
  const blobs = new Map<Digest, Uint8Array>();
  const manifests = new Map<string, StoredManifest>();
  const store: ImageStore = {
    name,
    resolve: async (tagOrDigest) => manifests.get(tagOrDigest)?.descriptor,
    manifest: async (tagOrDigest) => manifests.get(tagOrDigest),
    async blob({ digest }) {
      const bytes = blobs.get(digest);
      if (!bytes) throw new Error(`no blob ${digest}`);
      return bytes.slice(); // a reader may write into it
    },
    async *blobStream(descriptor) {
      yield await store.blob(descriptor, { maxBytes: Number.POSITIVE_INFINITY });
    },
    async *referrers(subject) {
      for (const [key, { descriptor, manifest }] of manifests) {
        if (key === descriptor.digest && manifest.subject?.digest === subject) yield descriptor;
      }
    },
    tags: async () => [...manifests.keys()].filter((key) => !key.includes(":")),
    async putBlob(content) {
      if (!(content instanceof Uint8Array)) throw new Error("only whole blobs");
      const digest = digestOf(content);
      blobs.set(digest, content.slice());
      return { mediaType: "application/octet-stream", digest, size: content.length };
    },
    async putManifest(bytes, { mediaType, tag }) {
      const manifest = readManifest(bytes, { servedType: mediaType, where: name });
      const artifactType = manifest.artifactType === undefined ? {} : { artifactType: manifest.artifactType };
      const descriptor: Descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length, ...artifactType };
      for (const key of tag === undefined ? [descriptor.digest] : [descriptor.digest, tag]) {
        manifests.set(key, { descriptor, bytes, manifest });
      }
      return descriptor;
    },
    putReferrer: (bytes, options) => store.putManifest(bytes, options),
    listReferrers: async () => {},
    delete: async (tagOrDigest) => manifests.delete(tagOrDigest),
  };
  return store;
}
