import type { Digest } from "../format/digest.ts";

/** OCI descriptor (image-spec descriptor.md); fields tsign does not use are kept as they came. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Readonly<Record<string, unknown>>;
}

/** An image manifest, or an index (`manifests` instead of `layers`), of the OCI or the Docker family. */
export interface Manifest {
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config?: Descriptor;
  readonly layers: readonly Descriptor[];
  /** Children of an index; undefined for an image. */
  readonly manifests?: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A manifest as it was fetched: digest and size checked over `bytes`, which are never re-serialised. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/** An entry of a referrers listing that cannot be read, and why. */
interface UnreadableEntry {
  readonly unreadable: string;
}

/** What a referrers listing holds: a descriptor for each manifest, of which only the digest need be right. */
export type ListedReferrer = Descriptor | UnreadableEntry;

/** Referrers that are stored and have yet to be listed, by the digest of their subject. */
export type UnlistedReferrers = Map<Digest, Descriptor[]>;

/**
 * One repository's content, wherever it lies: a registry or an OCI layout on disk. Whatever is returned was checked
 * against its digest and size. A definite "not there" is `undefined`; anything else that goes wrong is thrown
 * (TsignError network, timeout, auth, registry, limit), never turned into absence.
 */
export interface ImageStore {
  /** For messages: `registry/repository`, or the layout's path. */
  readonly name: string;
  /** Descriptor of what a tag or digest points at. Of a tag it is that of the content that was fetched, hashed. */
  resolve(tagOrDigest: string): Promise<Descriptor | undefined>;
  manifest(tagOrDigest: string): Promise<StoredManifest | undefined>;
  /** A whole blob; TsignError "limit" when the descriptor's size is over `maxBytes`. */
  blob(descriptor: Descriptor, options: { maxBytes: number }): Promise<Uint8Array>;
  /** A blob in pieces; a wrong digest or size is thrown at the end, so a consumer must not act before that. */
  blobStream(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /**
   * All manifests whose subject is said to be the digest, by the referrers API or the fallback tag: unfiltered, none twice,
   * and as they arrive, so that a listing of any length is read in little memory. A listing that cannot be read, or has no
   * end, is thrown after the entries that were read.
   */
  referrers(subject: Digest): AsyncIterable<ListedReferrer>;
  tags(): Promise<string[]>;
  /** Stores a blob unless it is there. */
  putBlob(
    content: Uint8Array | { digest: Digest; size: number; chunks: AsyncIterable<Uint8Array> },
  ): Promise<Descriptor>;
  /** Stores a manifest under its digest, and under the tag if one is given. */
  putManifest(bytes: Uint8Array, options: { mediaType: string; tag?: string }): Promise<Descriptor>;
  /**
   * Stores a manifest that has a `subject`, and makes `referrers(subject)` list it: where the store has no referrers API
   * the fallback index `sha256-<hex>` is merged and re-read until our entry is in it.
   *
   * @param options.later collects what is not listed yet, for one call of `listReferrers` after the last
   */
  putReferrer(bytes: Uint8Array, options: { mediaType: string; later?: UnlistedReferrers }): Promise<Descriptor>;
  /** Makes `referrers` list what was stored with `later`: each subject's fallback index is written once. */
  listReferrers(unlisted: UnlistedReferrers): Promise<void>;
  /** Deletes a tag or a digest; false when it was not there. */
  delete(tagOrDigest: string): Promise<boolean>;
}
