import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, parseDigest } from "../../format/digest.ts";
import { giveBack } from "../../format/pieces.ts";
import type { Io } from "../../io/io.ts";
import { MAX_MANIFEST, readManifest } from "../manifest.ts";
import { checked } from "../registry/blobs.ts";
import type { Descriptor, StoredManifest } from "../types.ts";

export type LayoutIo = Pick<Io, "files">;

/** Where a blob lies in a layout. A digest is hex, so that no path leads out of the folder. */
function blobPath(path: string, digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${path}/blobs/${algorithm}/${hex}`;
}

/**
 * Size of a file of a layout; undefined when there is none. A symbolic link is refused: a layout comes from elsewhere, and
 * a link in it would have another file read, or written, than the one in the folder.
 *
 * @throws TsignError "input"
 */
export async function fileSize(io: LayoutIo, path: string): Promise<number | undefined> {
  const found = await io.files.stat(path, { links: "shown" });
  if (found && found.kind !== "file") {
    throw new TsignError("input", `${path} is not a regular file, as files of a saved image are`);
  }
  return found?.size;
}

/** The folders that hold blobs must be folders of the layout, not links to others. */
export async function refuseLinkedFolders(io: LayoutIo, path: string): Promise<void> {
  for (const folder of [`${path}/blobs`, `${path}/blobs/sha256`, `${path}/blobs/sha512`]) {
    const found = await io.files.stat(folder, { links: "shown" });
    if (found && found.kind !== "directory") {
      throw new TsignError("input", `${folder} is not a folder, as that of a saved image is`);
    }
  }
}

/** A blob in pieces, checked while it passes. */
export async function* readBlobFile(io: LayoutIo, path: string, descriptor: Descriptor): AsyncIterable<Uint8Array> {
  const where = `${path}@${descriptor.digest}`;
  const size = await fileSize(io, blobPath(path, descriptor.digest));
  if (size === undefined) throw new TsignError("input", `${where} is missing: the saved image is not whole`);
  yield* checked(io.files.chunks(blobPath(path, descriptor.digest)), descriptor, where);
}

/** A manifest among the blobs, its digest checked; undefined when it is not there. */
export async function readManifestFile(
  io: LayoutIo,
  path: string,
  digest: Digest,
): Promise<StoredManifest | undefined> {
  const file = blobPath(path, digest);
  if ((await fileSize(io, file)) === undefined) return undefined;
  const bytes = await io.files.read(file, { maxBytes: MAX_MANIFEST });
  const where = `${path}@${digest}`;
  const { algorithm } = parseDigest(digest);
  const actual = digestOf(bytes, algorithm);
  if (actual !== digest) {
    throw new TsignError("registry", `${where} has another content`, { expected: digest, actual });
  }
  const manifest = readManifest(bytes, { servedType: "", where });
  return { descriptor: { mediaType: manifest.mediaType, digest, size: bytes.length }, bytes, manifest };
}

/** Writes a blob, or leaves one that is there and whole. */
export async function writeBlobFile(
  io: LayoutIo,
  path: string,
  blob: { digest: Digest; size: number; content: Uint8Array | AsyncIterable<Uint8Array> },
): Promise<void> {
  const file = blobPath(path, blob.digest);
  if ((await fileSize(io, file)) === blob.size && (await isWhole(io, path, blob))) return;
  await io.files.makeDirectory(`${path}/blobs/${parseDigest(blob.digest).algorithm}`);
  const { content } = blob;
  const pieces =
    content instanceof Uint8Array ? content : checked(content, descriptorOf(blob), `${path}@${blob.digest}`);
  await io.files.replace(file, pieces, { mode: 0o644 });
}

async function isWhole(io: LayoutIo, path: string, blob: { digest: Digest; size: number }): Promise<boolean> {
  try {
    for await (const piece of readBlobFile(io, path, descriptorOf(blob))) giveBack(piece); // to its end, where it is judged
    return true;
  } catch (error) {
    if (error instanceof TsignError && error.code === "registry") return false;
    throw error;
  }
}

function descriptorOf({ digest, size }: { digest: Digest; size: number }): Descriptor {
  return { mediaType: "application/octet-stream", digest, size };
}
