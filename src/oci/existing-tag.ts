import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import { inParallel } from "./parallel.ts";
import type { Descriptor, ImageStore } from "./types.ts";

/** Tags resolved at a time. */
const WORKERS = 8;

/** A tag to set. */
export interface Tagging {
  readonly tag: string;
  readonly digest: Digest;
}

/**
 * Refuses to move tags that exist and point to another digest.
 *
 * @param hint what to do instead
 * @throws TsignError "input"
 */
export async function refuseOtherTags(destination: ImageStore, tags: readonly Tagging[], hint: string): Promise<void> {
  await inParallel(tags, WORKERS, async ({ tag, digest }) => {
    const there = await existingTag(destination, tag);
    if (!there || there.digest === digest) return;
    throw new TsignError("input", `image "${destination.name}:${tag}" already exists`, { hint });
  });
}

/** Resolves a tag. Some registries refuse a tag that does not exist: it is taken for absent if the list of tags lacks it. */
async function existingTag(store: ImageStore, tag: string): Promise<Descriptor | undefined> {
  try {
    return await store.resolve(tag);
  } catch (error) {
    if (!(error instanceof TsignError) || (error.code !== "auth" && error.code !== "registry")) throw error;
    if ((await store.tags()).includes(tag)) throw error;
    return undefined;
  }
}
