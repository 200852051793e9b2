import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, parseDigest } from "../../format/digest.ts";
import { giveBack } from "../../format/pieces.ts";
import type { Io } from "../../io/io.ts";
import { MAX_MANIFEST, readManifest } from "../manifest.ts";
import { checked, digestMismatch } from "../registry/blobs.ts";
import type { Descriptor, StoredManifest } from "../types.ts";

export type LayoutIo = Pick<Io, "files">;

/** Returns the path of a blob in a layout. The digest is hex, so the path cannot leave the folder. */
function blobPath(path: string, digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${path}/blobs/${algorithm}/${hex}`;
}

/**
 * Returns the size of a file in a layout, in bytes; undefined when it does not exist. Symbolic links are refused: a layout
 * comes from someone else, and a link in it could make tsign read or write a file outside the folder.
 *
 * @throws TsignError "input"
 */
export async function fileSize(io: LayoutIo, path: string): Promise<number | undefined> {
  const found = await io.files.stat(path, { links: "shown" });
  if (found && found.kind !== "file") {
    throw new TsignError("input", `read image layout: ${path} is not a regular file`);
  }
  return found?.size;
}

/** Checks that the blob folders are real folders. @throws TsignError "input" for a symbolic link or a file */
export async function refuseLinkedFolders(io: LayoutIo, path: string): Promise<void> {
  for (const folder of [`${path}/blobs`, `${path}/blobs/sha256`, `${path}/blobs/sha512`]) {
    const found = await io.files.stat(folder, { links: "shown" });
    if (found && found.kind !== "directory") {
      throw new TsignError("input", `read image layout: ${folder} is not a folder`);
    }
  }
}

/** Reads a blob in pieces and checks its size and digest; a mismatch is thrown after the last piece. */
export async function* readBlobFile(io: LayoutIo, path: string, descriptor: Descriptor): AsyncIterable<Uint8Array> {
  const where = `${path}@${descriptor.digest}`;
  const size = await fileSize(io, blobPath(path, descriptor.digest));
  if (size === undefined) {
    throw new TsignError("input", `read ${where}: missing blob`, {
      hint: "run `tsign save` again; the folder is incomplete",
    });
  }
  yield* checked(io.files.chunks(blobPath(path, descriptor.digest)), descriptor, where);
}

/** Reads a manifest and checks its digest; undefined when the layout does not contain it. */
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
  if (actual !== digest) throw digestMismatch(where, { expected: digest, actual });
  const manifest = readManifest(bytes, { servedType: "", where });
  return { descriptor: { mediaType: manifest.mediaType, digest, size: bytes.length }, bytes, manifest };
}

/**
 * Writes a blob unless the layout already contains it, complete and with the right digest.
 *
 * @param blob.isChecked whether the content is known to have that digest and size, or throws otherwise
 */
export async function writeBlobFile(
  io: LayoutIo,
  path: string,
  blob: {
    digest: Digest;
    size: number;
    content: Uint8Array | AsyncIterable<Uint8Array>;
    isChecked?: boolean | undefined;
  },
): Promise<void> {
  const file = blobPath(path, blob.digest);
  if ((await fileSize(io, file)) === blob.size && (await isIntact(io, path, blob))) return;
  await io.files.makeDirectory(`${path}/blobs/${parseDigest(blob.digest).algorithm}`);
  const { content } = blob;
  const pieces =
    content instanceof Uint8Array || blob.isChecked
      ? content
      : checked(content, descriptorOf(blob), `${path}@${blob.digest}`);
  await io.files.replace(file, pieces, { mode: 0o644 });
}

async function isIntact(io: LayoutIo, path: string, blob: { digest: Digest; size: number }): Promise<boolean> {
  try {
    for await (const piece of readBlobFile(io, path, descriptorOf(blob))) giveBack(piece); // the digest is checked at the end
    return true;
  } catch (error) {
    if (error instanceof TsignError && error.code === "registry") return false;
    throw error;
  }
}

function descriptorOf({ digest, size }: { digest: Digest; size: number }): Descriptor {
  return { mediaType: "application/octet-stream", digest, size };
}
