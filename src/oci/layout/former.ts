import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor } from "../types.ts";
import { fileSize, type LayoutIo } from "./files.ts";
import { isMarkedAsImage, kindOf, REF_NAME } from "./image-entry.ts";
import { readIndex } from "./layout.ts";

/** Tags under which `save` lists the attachments of an image's platforms. */
const ATTACHMENT = /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/;
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
  const entries = await readIndex(io, path);
  const foreign = entries.find((entry) => !isOfSave(entry));
  if (foreign) {
    const name = foreign.annotations?.[REF_NAME] ?? foreign.digest;
    throw new TsignError("input", `save to ${path}: it contains an image saved by another program: ${name}`, HINT);
  }
  return entries.find(isMarkedAsImage)?.digest;
}

function isOfSave(entry: Descriptor): boolean {
  return kindOf(entry.annotations) !== "" || ATTACHMENT.test(entry.annotations?.[REF_NAME] ?? "");
}
