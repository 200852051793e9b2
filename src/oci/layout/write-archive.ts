import type { Digest } from "../../format/digest.ts";
import { tarEnd, tarHeader, tarPadding } from "../../format/tar.ts";
import { mapAhead } from "../parallel.ts";
import { type Content, contentOf } from "../transfer.ts";
import type { Descriptor, ImageStore } from "../types.ts";
import { blobName } from "./files.ts";
import { KIND, REF_NAME } from "./image-entry.ts";
import { indexText, OCI_LAYOUT, uniqueEntries } from "./layout.ts";

/** Blobs up to this size are fetched ahead of the one being written. Bytes. */
const SMALL = 1024 * 1024;
/** Most fetched ahead: blobs, and bytes. */
const AHEAD = 8;
const AHEAD_BYTES = 8 * SMALL;

/** A manifest to write into an archive, with what it refers to. */
export interface ArchivePart {
  readonly from: ImageStore;
  readonly digest: Digest;
  /** The names under which index.json lists it; none for a referrer, which is found by its subject. */
  readonly names: readonly string[];
  /** Whether it is an image, and not an attachment. */
  readonly isImage: boolean;
}

export interface ArchiveOptions {
  readonly parts: readonly ArchivePart[];
  /** Called with each piece of content; small blobs with their bytes. */
  readonly onContent: (content: Content, bytes: Uint8Array | undefined) => void;
  /** Returns files to store beside the images; called after all content. */
  readonly extraFiles: () => Promise<readonly { name: string; bytes: Uint8Array }[]>;
  /** Passes on the pieces of a large blob, to show how far it is. */
  readonly watch: (blob: Descriptor, pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/**
 * Returns an OCI layout as a tar archive, piece by piece. Each digest is contained once; index.json comes last. Blobs are passed on as
 * they arrive, so memory does not depend on their size.
 *
 * @throws TsignError what reading the images throws; "input" for two attachments with one name
 */
export async function* archiveOf({ parts, onContent, extraFiles, watch }: ArchiveOptions): AsyncGenerator<Uint8Array> {
  yield* file("oci-layout", Buffer.from(OCI_LAYOUT));
  const entries: Descriptor[] = [];
  const written = new Set<Digest>();
  for (const part of parts) {
    const content = unwritten(part, written);
    const ahead = {
      limit: AHEAD,
      weigh: (item: Content) => ("blob" in item ? item.blob.size : 0),
      budget: AHEAD_BYTES,
    };
    for await (const { item, bytes } of mapAhead(content, ahead, (each) => fetchSmall(part.from, each))) {
      onContent(item, bytes);
      if (bytes) yield* file(blobName("blob" in item ? item.blob.digest : item.manifest.descriptor.digest), bytes);
      else if ("blob" in item) yield* streamed(part.from, item.blob, watch);
    }
    entries.push(...(await entriesOf(part)));
  }
  for (const { name, bytes } of await extraFiles()) yield* file(name, bytes);
  yield* file("index.json", Buffer.from(indexText(uniqueEntries(entries))));
  yield tarEnd();
}

/** Lists what is not yet in the archive. */
async function* unwritten({ from, digest }: ArchivePart, written: Set<Digest>): AsyncGenerator<Content> {
  for await (const item of contentOf(from, { digest, mediaType: "" })) {
    const { digest: each } = "blob" in item ? item.blob : item.manifest.descriptor;
    if (written.has(each)) continue;
    written.add(each);
    yield item;
  }
}

/** Fetches a manifest or a small blob; a large blob has no bytes. */
async function fetchSmall(from: ImageStore, item: Content): Promise<{ item: Content; bytes: Uint8Array | undefined }> {
  if ("manifest" in item) return { item, bytes: item.manifest.bytes };
  const { blob } = item;
  return { item, bytes: blob.size <= SMALL ? await from.blob(blob, { maxBytes: SMALL }) : undefined };
}

async function* file(name: string, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.concat([tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]);
}

async function* streamed(
  from: ImageStore,
  blob: Descriptor,
  watch: ArchiveOptions["watch"],
): AsyncGenerator<Uint8Array> {
  yield tarHeader(blobName(blob.digest), blob.size);
  yield* watch(blob, from.blobStream(blob)); // throws unless exactly `size` bytes arrived
  yield tarPadding(blob.size);
}

async function entriesOf({ from, digest, names, isImage }: ArchivePart): Promise<Descriptor[]> {
  const stored = names.length > 0 ? await from.manifest(digest) : undefined;
  if (!stored) return [];
  const { mediaType, size } = stored.descriptor;
  const artifactType = stored.manifest.manifests ? undefined : stored.manifest.config?.mediaType;
  const kind = isImage ? { kind: `${KIND}${stored.manifest.manifests ? "imageIndex" : "image"}` } : {};
  return names.map((name) => ({
    mediaType,
    size,
    digest,
    annotations: { ...kind, [REF_NAME]: name },
    ...(artifactType ? { artifactType } : {}),
  }));
}
