import { type Digest, digestOf, readMessage } from "../../format/digest.ts";
import { SNIFFED_BYTES, sniffMediaType } from "../../format/sniff.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import type { Descriptor, ImageStore } from "../../oci/types.ts";
import { watched } from "../print/progress.ts";

/** A file read once, to know what it is called in a registry. */
export interface KnownFile {
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** What it looks like. */
  readonly mediaType: string;
  /** What came out of a pipe, which can be read once only. */
  readonly content?: Uint8Array;
}

/** Digest, size and media type of a file, in constant memory; a pipe's content is kept, up to 128 MiB. */
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

/** Uploads a file's content; a file that changed in between fails, because its digest is another. */
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
