import { TsignError } from "../../src/errors.ts";
import { type Digest, digestOf } from "../../src/format/digest.ts";
import { readManifest } from "../../src/oci/manifest.ts";
import type { Descriptor, ImageStore, ListedReferrer, StoredManifest } from "../../src/oci/types.ts";

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A repository in memory with configurable answers. */
export interface MemoryStore extends ImageStore {
  /** The requests, in order: `blob sha256:…`, `manifest TAG`, `delete TAG`, `referrers sha256:…`. */
  readonly asked: string[];
  readonly blobs: Map<Digest, Uint8Array>;
  readonly manifests: Map<Digest, { bytes: Uint8Array; mediaType: string }>;
  readonly tagged: Map<string, Digest>;
  /** Overrides the list of a subject's referrers; by default the manifests with that subject. */
  readonly listings: Map<Digest, readonly (ListedReferrer | Error)[]>;
  /** Called before an answer, by request; it may throw or wait. */
  before: (asked: string) => unknown;
  /** Stores JSON as a manifest and returns its descriptor, as `referrers` would list it. */
  add(manifest: object, options?: { tag?: string }): Descriptor;
  addBlob(bytes: Uint8Array | string): Descriptor;
}

export function memoryStore(name = "registry.example/app"): MemoryStore {
  const [blobs, manifests, tagged] = [new Map(), new Map(), new Map()] as [
    MemoryStore["blobs"],
    MemoryStore["manifests"],
    MemoryStore["tagged"],
  ];
  const listings: MemoryStore["listings"] = new Map();
  const asked: string[] = [];
  const find = (tagOrDigest: string): StoredManifest | undefined => {
    const digest = tagged.get(tagOrDigest) ?? (tagOrDigest as Digest);
    const found = manifests.get(digest);
    if (!found) return undefined;
    const { bytes, mediaType } = found;
    const manifest = readManifest(bytes, { servedType: mediaType, where: tagOrDigest });
    return { descriptor: { mediaType, digest, size: bytes.length }, bytes, manifest };
  };
  const ask = async (what: string) => {
    asked.push(what);
    await store.before(what);
  };
  const put = (bytes: Uint8Array, { mediaType, tag }: { mediaType: string; tag?: string | undefined }): Descriptor => {
    const digest = digestOf(bytes);
    manifests.set(digest, { bytes, mediaType });
    if (tag !== undefined) tagged.set(tag, digest);
    return { mediaType, digest, size: bytes.length };
  };
  const store: MemoryStore = {
    name,
    asked,
    blobs,
    manifests,
    tagged,
    listings,
    before: () => undefined,
    add: (manifest, { tag } = {}) =>
      put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, ...manifest })), {
        mediaType: "mediaType" in manifest ? String(manifest.mediaType) : MANIFEST_TYPE,
        tag,
      }),
    addBlob: (content) => {
      const bytes = Buffer.from(content);
      const digest = digestOf(bytes);
      blobs.set(digest, bytes);
      return { mediaType: "application/octet-stream", digest, size: bytes.length };
    },
    async resolve(tagOrDigest) {
      await ask(`resolve ${tagOrDigest}`);
      return find(tagOrDigest)?.descriptor;
    },
    async manifest(tagOrDigest) {
      await ask(`manifest ${tagOrDigest}`);
      return find(tagOrDigest);
    },
    async blob({ digest, size }, { maxBytes }) {
      await ask(`blob ${digest}`);
      if (size > maxBytes) throw new TsignError("limit", `read blob ${digest}: larger than ${maxBytes} bytes`);
      const bytes = blobs.get(digest);
      if (!bytes) throw new TsignError("registry", `read blob ${name}@${digest}: not found`);
      return Buffer.from(bytes); // readers may overwrite it
    },
    async *blobStream(descriptor) {
      yield await store.blob(descriptor, { maxBytes: Number.POSITIVE_INFINITY });
    },
    async *referrers(subject) {
      await ask(`referrers ${subject}`);
      const fixed = listings.get(subject);
      for (const entry of fixed ?? withSubject(subject)) {
        if (entry instanceof Error) throw entry;
        yield entry;
      }
    },
    tags: async () => [...tagged.keys()],
    async putBlob(content) {
      const bytes = content instanceof Uint8Array ? content : undefined;
      if (!bytes) throw new Error("a stream is not expected");
      return store.addBlob(bytes);
    },
    async putManifest(bytes, options) {
      await ask(`put ${options.tag ?? digestOf(bytes)}`);
      return put(bytes, options);
    },
    async putReferrer(bytes, options) {
      await ask(`put referrer ${digestOf(bytes)}`);
      return put(bytes, options);
    },
    listReferrers: async () => {},
    async delete(tagOrDigest) {
      await ask(`delete ${tagOrDigest}`);
      if (tagged.delete(tagOrDigest)) return true;
      for (const [tag, digest] of tagged) if (digest === tagOrDigest) tagged.delete(tag);
      return manifests.delete(tagOrDigest as Digest);
    },
  };
  function withSubject(subject: Digest): Descriptor[] {
    return [...manifests.keys()].flatMap((digest) => {
      const stored = find(digest);
      if (stored?.manifest.subject?.digest !== subject) return [];
      const { artifactType, config } = stored.manifest;
      return [{ ...stored.descriptor, artifactType: artifactType ?? config?.mediaType ?? "" }];
    });
  }
  return store;
}
