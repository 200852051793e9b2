import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor } from "../types.ts";
import { archiveFiles } from "./archive-files.ts";
import { fileSize, folderFiles, type LayoutIo } from "./files.ts";
import { isAttachment, isMarkedAsImage, kindOf, REF_NAME } from "./image-entry.ts";
import { readIndex } from "./reader.ts";

const HINT = { hint: "save to a new folder" };

/**
 * Checks that a folder may be overwritten by `save`: it is empty, or was written by `save` of tsign or cosign. Replacing
 * another program's index.json would lose its images.
 *
 * @returns the digest of the image that was saved there before; undefined when there is none
 * @throws TsignError "input" for an index.json that belongs to another program
 */
export async function formerImage(io: LayoutIo, path: string): Promise<Digest | undefined> {
  const [index, marker] = [await fileSize(io, `${path}/index.json`), await fileSize(io, `${path}/oci-layout`)];
  if (index === undefined) return undefined;
  if (marker === undefined) {
    throw new TsignError("input", `save to ${path}: it contains an index.json that is not from an image layout`, HINT);
  }
  const entries = await readIndex(folderFiles(io, path));
  refuseForeign(entries, path);
  return entries.find(isMarkedAsImage)?.digest;
}

/**
 * Checks that an archive may be replaced by `save`: it does not exist, or was written by `save`.
 *
 * @returns the digests of the images in it
 * @throws TsignError "input" for a file that is not an archive of `save`
 */
export async function formerImages(io: LayoutIo, path: string): Promise<Digest[]> {
  if (!(await io.files.stat(path))) return [];
  const entries = await archiveFiles(io, path)
    .then(readIndex)
    .catch((cause: unknown) => {
      if (!(cause instanceof TsignError) || cause.code !== "input") throw cause;
      const hint = "remove the file, or save under another name";
      throw new TsignError("input", `save to ${path}: the file exists and is not an image archive`, { cause, hint });
    });
  refuseForeign(entries, path);
  return entries.filter(isMarkedAsImage).map(({ digest }) => digest);
}

function refuseForeign(entries: readonly Descriptor[], path: string): void {
  const foreign = entries.find((entry) => kindOf(entry.annotations) === "" && !isAttachment(entry));
  if (!foreign) return;
  const name = foreign.annotations?.[REF_NAME] ?? foreign.digest;
  throw new TsignError("input", `save to ${path}: it contains an image saved by another program: ${name}`, HINT);
}
