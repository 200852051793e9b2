import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor } from "../types.ts";
import { archiveFiles, isArchive } from "./archive-files.ts";
import { fileSize, folderFiles, type LayoutIo } from "./files.ts";
import { isAttachment, isMarkedAsImage, kindOf, REF_NAME } from "./image-entry.ts";
import { readIndex } from "./reader.ts";

const HINT = { hint: "save to a new folder" };

/**
 * Checks that a folder or an archive may be overwritten by `save`: it does not exist, is an empty folder, or was written by `save` of
 * tsign or cosign. Replacing another program's index.json would lose its images.
 *
 * @returns the digests of the images in it
 * @throws TsignError "input" for an index.json that belongs to another program, and for a file that is not an archive of `save`
 */
export async function formerImages(io: LayoutIo, path: string): Promise<Digest[]> {
  const entries = isArchive(path) ? await entriesOfArchive(io, path) : await entriesOfFolder(io, path);
  refuseForeign(entries, path);
  return entries.filter(isMarkedAsImage).map(({ digest }) => digest);
}

async function entriesOfFolder(io: LayoutIo, path: string): Promise<Descriptor[]> {
  const [index, marker] = [await fileSize(io, `${path}/index.json`), await fileSize(io, `${path}/oci-layout`)];
  if (index === undefined) return [];
  if (marker === undefined) {
    throw new TsignError("input", `save to ${path}: it contains an index.json that is not from an image layout`, HINT);
  }
  return readIndex(folderFiles(io, path));
}

async function entriesOfArchive(io: LayoutIo, path: string): Promise<Descriptor[]> {
  if (!(await io.files.stat(path))) return [];
  return archiveFiles(io, path)
    .then(readIndex)
    .catch((cause: unknown) => {
      if (!(cause instanceof TsignError) || cause.code !== "input") throw cause;
      const hint = "remove the file, or save under another name";
      throw new TsignError("input", `save to ${path}: the file exists and is not an image archive`, { cause, hint });
    });
}

function refuseForeign(entries: readonly Descriptor[], path: string): void {
  const foreign = entries.find((entry) => kindOf(entry.annotations) === "" && !isAttachment(entry));
  if (!foreign) return;
  const name = foreign.annotations?.[REF_NAME] ?? foreign.digest;
  throw new TsignError("input", `save to ${path}: it contains an image saved by another program: ${name}`, HINT);
}
