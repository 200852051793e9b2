import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor } from "../types.ts";
import { fileSize, type LayoutIo } from "./files.ts";
import { isMarkedAsImage, kindOf, REF_NAME } from "./image-entry.ts";
import { readIndex } from "./layout.ts";

/** Tags under which `save` lists what is attached to an image's platforms. */
const ATTACHMENT = /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/;
const HINT = { hint: "name a new folder" };

/**
 * Looks at a folder that an image is to be saved to: one that `save`, of tsign or cosign, wrote may be written anew. What
 * another program keeps there would be lost with its index.json.
 *
 * @returns the image that was saved there before
 * @throws TsignError "input" for an index.json of something else, and for images of another program
 */
export async function formerImage(io: LayoutIo, path: string): Promise<Digest | undefined> {
  const [index, marker] = [await fileSize(io, `${path}/index.json`), await fileSize(io, `${path}/oci-layout`)];
  if (index === undefined) return undefined;
  if (marker === undefined) {
    throw new TsignError("input", `${path} has an index.json that belongs to no saved image`, HINT);
  }
  const entries = await readIndex(io, path);
  const foreign = entries.find((entry) => !isOfSave(entry));
  if (foreign) {
    const name = foreign.annotations?.[REF_NAME] ?? foreign.digest;
    throw new TsignError("input", `${path} holds an image of another program, which would be lost: ${name}`, HINT);
  }
  return entries.find(isMarkedAsImage)?.digest;
}

function isOfSave(entry: Descriptor): boolean {
  return kindOf(entry.annotations) !== "" || ATTACHMENT.test(entry.annotations?.[REF_NAME] ?? "");
}
