import { type Digest, digestOf, readMessage } from "../../format/digest.ts";
import { SNIFFED_BYTES, sniffMediaType } from "../../format/sniff.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import type { Descriptor, ImageStore } from "../../oci/types.ts";
import { watched } from "../print/progress.ts";

/** A file that was read once for its digest. */
export interface KnownFile {
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Detected from the content. */
  readonly mediaType: string;
  /** The content of a pipe, which can be read only once. */
  readonly content?: Uint8Array;
}

/** Returns the digest, size and media type of a file, read in constant memory; a pipe's content is kept, up to 128 MiB. */
export async function readFileFacts(io: Io, path: string): Promise<KnownFile> {
  if ((await io.files.stat(path))?.kind === "other") {
    const content = await readBlob(io, path);
    return { path, digest: digestOf(content), size: content.length, mediaType: sniffMediaType(content), content };
  }
  let head = Buffer.alloc(0);
  const pieces = (async function* () {
    for await (const piece of io.files.chunks(path)) {
      if (head.length < SNIFFED_BYTES) head = Buffer.concat([head, piece.subarray(0, SNIFFED_BYTES)]);
      yield piece;
    }
  })();
  const message = await readMessage(pieces, { hashes: ["sha256"], keepBytes: 0 });
  const digest = `sha256:${Buffer.from(message.digest("sha256")).toString("hex")}` as const;
  return { path, digest, size: message.size, mediaType: sniffMediaType(head) };
}

/** Uploads the content of a file; fails if the file has changed since its digest was computed. */
export async function uploadFile(io: Io, store: ImageStore, file: KnownFile, mediaType: string): Promise<Descriptor> {
  if (file.content) {
    const { digest, size } = await store.putBlob(file.content);
    return { mediaType, digest, size };
  }
  const read = () => io.files.chunks(file.path);
  const first = await watched(io, "uploading", { file: file.path, pieces: read() });
  let attempts = 0;
  const chunks = { [Symbol.asyncIterator]: () => (attempts++ === 0 ? first : read())[Symbol.asyncIterator]() };
  const { digest, size } = await store.putBlob({ digest: file.digest, size: file.size, chunks });
  return { mediaType, digest, size };
}
