import { type RegistryImage, withChildren } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import { Connections } from "../../oci/open.ts";
import { inParallel } from "../../oci/parallel.ts";
import { registryOptions } from "../flags/registry.ts";
import { resolveImage } from "./images.ts";

/** Images resolved at a time. */
const WORKERS = 8;

/**
 * Resolves the images of a command that signs, before anything is signed. They share logins and connections. A digest of a
 * repository is returned once, whatever the number of its names.
 *
 * @returns the images to sign, with those below an index for `recursive`; and the named ones, `registry/repository@sha256:…`
 * @throws what `resolveImage` throws for the first image that cannot be resolved
 */
export async function openImagesToSign(
  io: Io,
  texts: readonly string[],
  {
    flags,
    mustExist,
    recursive,
  }: { flags: Parameters<typeof resolveImage>[1]["flags"]; mustExist: boolean; recursive: boolean },
): Promise<{ images: RegistryImage[]; named: string[] }> {
  const registry = { ...registryOptions(flags), connections: new Connections() };
  const found = await inParallel(texts, WORKERS, async (text) => {
    const image = await resolveImage(io, { text, flags, mustExist, warnAboutTags: true, registry });
    return { image, below: recursive ? await withChildren(image) : [image] };
  });
  const named = found.map(({ image }) => nameOf(image));
  const images = new Map(found.flatMap(({ below }) => below.map((image) => [nameOf(image), image])));
  return { images: [...images.values()], named: [...new Set(named)] };
}

/** `registry/repository@sha256:…` */
export function nameOf({ ref, digest }: Pick<RegistryImage, "ref" | "digest">): string {
  return `${ref.name}@${digest}`;
}
