import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, parseDigest } from "../../format/digest.ts";
import { giveBack } from "../../format/pieces.ts";
import type { Io } from "../../io/io.ts";
import { MAX_MANIFEST, readManifest } from "../manifest.ts";
import { checked, digestMismatch } from "../registry/blobs.ts";
import type { Descriptor, StoredManifest } from "../types.ts";

export type LayoutIo = Pick<Io, "files">;

/** The files of a layout, in a folder or an archive. Names are relative: `index.json`, `blobs/sha256/<hex>`. */
export interface LayoutFiles {
  /** Path of the folder or archive, for messages. */
  readonly path: string;
  /** Returns a file's size in bytes; undefined when it does not exist. @throws TsignError "input" for a link or a device */
  size(name: string): Promise<number | undefined>;
  /** Returns a file's content. @throws TsignError "limit" above `maxBytes` */
  read(name: string, options: { maxBytes: number }): Promise<Uint8Array>;
  /** Returns a file's content in pieces (src/format/pieces.ts). */
  chunks(name: string): AsyncIterable<Uint8Array>;
  /** Returns the path of a file; absent in an archive. */
  pathOf?(name: string): string;
  /** Returns the names and sizes of the files directly in a folder. Links and devices are omitted. */
  list(folder: string): Promise<{ name: string; size: number }[]>;
}

/** Reads a layout in a folder. Symbolic links are refused: one in a layout from someone else could lead to another file. */
export function folderFiles(io: LayoutIo, path: string): LayoutFiles {
  return {
    path,
    size: (name) => fileSize(io, `${path}/${name}`),
    read: (name, options) => io.files.read(`${path}/${name}`, options),
    chunks: (name) => io.files.chunks(`${path}/${name}`),
    pathOf: (name) => `${path}/${name}`,
    async list(folder) {
      const found: { name: string; size: number }[] = [];
      for (const name of await io.files.list(`${path}/${folder}`)) {
        const facts = await io.files.stat(`${path}/${folder}/${name}`, { links: "shown" });
        if (facts?.kind === "file") found.push({ name, size: facts.size });
      }
      return found;
    },
  };
}

/** Returns the name of a blob's file. The digest is hex, so the name cannot leave the layout. */
export function blobName(digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `blobs/${algorithm}/${hex}`;
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
export async function* readBlobFile(files: LayoutFiles, descriptor: Descriptor): AsyncIterable<Uint8Array> {
  const where = `${files.path}@${descriptor.digest}`;
  const name = blobName(descriptor.digest);
  if ((await files.size(name)) === undefined) {
    throw new TsignError("input", `read ${where}: missing blob`, {
      hint: "run `tsign save` again; the layout is incomplete",
    });
  }
  yield* checked(files.chunks(name), descriptor, where);
}

/** Reads a manifest and checks its digest; undefined when the layout does not contain it. */
export async function readManifestFile(files: LayoutFiles, digest: Digest): Promise<StoredManifest | undefined> {
  const name = blobName(digest);
  if ((await files.size(name)) === undefined) return undefined;
  const bytes = await files.read(name, { maxBytes: MAX_MANIFEST });
  const where = `${files.path}@${digest}`;
  const { algorithm } = parseDigest(digest);
  const actual = digestOf(bytes, algorithm);
  if (actual !== digest) throw digestMismatch(where, { expected: digest, actual });
  const manifest = readManifest(bytes, { servedType: "", where });
  return { descriptor: { mediaType: manifest.mediaType, digest, size: bytes.length }, bytes, manifest };
}

/**
 * Writes a blob into a folder unless the layout already contains it, complete and with the right digest.
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
  const file = `${path}/${blobName(blob.digest)}`;
  if ((await fileSize(io, file)) === blob.size && (await isIntact(folderFiles(io, path), blob))) return;
  await io.files.makeDirectory(`${path}/blobs/${parseDigest(blob.digest).algorithm}`);
  const { content } = blob;
  const pieces =
    content instanceof Uint8Array || blob.isChecked
      ? content
      : checked(content, descriptorOf(blob), `${path}@${blob.digest}`);
  await io.files.replace(file, pieces, { mode: 0o644 });
}

async function isIntact(files: LayoutFiles, blob: { digest: Digest; size: number }): Promise<boolean> {
  try {
    for await (const piece of readBlobFile(files, descriptorOf(blob))) giveBack(piece); // the digest is checked at the end
    return true;
  } catch (error) {
    if (error instanceof TsignError && error.code === "registry") return false;
    throw error;
  }
}

function descriptorOf({ digest, size }: { digest: Digest; size: number }): Descriptor {
  return { mediaType: "application/octet-stream", digest, size };
}
