import type { Digest } from "../format/digest.ts";
import type { Repository } from "./ref.ts";

/** OCI descriptor (image spec, descriptor.md). Unknown fields are kept unchanged. */
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

/** A manifest as it was fetched. Digest and size are those of `bytes`, which are never re-serialized. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest;
}

/** An entry of a referrers list that cannot be read. */
interface UnreadableEntry {
  /** The reason. */
  readonly unreadable: string;
}

/** An entry of a referrers list. Of its descriptor, only the digest is relied on. */
export type ListedReferrer = ListedDescriptor | UnreadableEntry;

/** A descriptor of a referrers list. */
export interface ListedDescriptor extends Descriptor {
  /** `registry/repository:tag` of the fallback index that lists it; undefined when the referrers API does. */
  readonly fallbackIndex?: string;
}

/** Referrers that are stored but not yet listed, by the digest of their subject. */
export type UnlistedReferrers = Map<Digest, Descriptor[]>;

/** A blob to store. */
export interface BlobStream {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** The content, read only if it is needed. A stream that can be iterated again is retried. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Whether the stream itself throws for a wrong digest or size, as `blobStream` does, so that it is hashed only once. */
  readonly isChecked?: boolean;
  /** Path of a regular file with the content, which may be sent instead of `chunks`; only if `isChecked`. */
  readonly file?: string | undefined;
  /** A repository that has the blob; the content is not sent if its registry can take it from there. */
  readonly from?: Repository | undefined;
}

/**
 * The content of one repository, in a registry or in an OCI layout on disk. Digest and size of everything returned have been
 * checked. `undefined` means that the content does not exist; every other failure is thrown (TsignError "network",
 * "timeout", "auth", "registry", "limit").
 */
export interface ImageStore {
  /** `registry/repository`, or the layout's path, for messages. */
  readonly name: string;
  /** Where it is, if it is in a registry. */
  readonly repository?: Repository;
  /** Returns the descriptor of a tag or digest. The digest of a tag is computed from the content that was fetched. */
  resolve(tagOrDigest: string): Promise<Descriptor | undefined>;
  manifest(tagOrDigest: string): Promise<StoredManifest | undefined>;
  /** Returns a whole blob. @throws TsignError "limit" when the descriptor's size exceeds `maxBytes` */
  blob(descriptor: Descriptor, options: { maxBytes: number }): Promise<Uint8Array>;
  /** Returns a blob in pieces. A wrong digest or size is thrown at the end; do not use the content before that. */
  blobStream(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /** Returns the path of the file that should have a blob's content, and is not checked; only in a layout in a folder. */
  blobFile?(descriptor: Descriptor): string | undefined;
  /**
   * Lists the manifests that refer to the digest, by the referrers API or the fallback tag, unfiltered and without
   * duplicates. Entries are streamed, so that a list of any length takes little memory. A failure is thrown after the entries
   * that could be read.
   */
  referrers(subject: Digest): AsyncIterable<ListedReferrer>;
  /** Digests that the referrers API lists; undefined without the API, and absent in a layout. */
  referrersByApi?(subject: Digest): Promise<ReadonlySet<Digest> | undefined>;
  tags(): Promise<string[]>;
  /** Stores a blob unless it already exists. */
  putBlob(content: Uint8Array | BlobStream): Promise<Descriptor>;
  /** Stores a manifest under its digest, and under the tag if one is given. */
  putManifest(bytes: Uint8Array, options: { mediaType: string; tag?: string }): Promise<Descriptor>;
  /**
   * Stores a manifest that has a `subject`, and makes `referrers(subject)` list it. Without the referrers API the entry is
   * merged into the fallback index `sha256-<hex>`.
   *
   * @param options.later collects unlisted referrers, for one call of `listReferrers` at the end
   */
  putReferrer(bytes: Uint8Array, options: { mediaType: string; later?: UnlistedReferrers }): Promise<Descriptor>;
  /** Makes `referrers` list what was stored with `later`, writing each subject's fallback index once. */
  listReferrers(unlisted: UnlistedReferrers): Promise<void>;
  /** Deletes a tag or a digest. Returns false when it did not exist. */
  delete(tagOrDigest: string): Promise<boolean>;
}
