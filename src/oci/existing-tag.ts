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
  await inParallel(tags, WORKERS, async (each) => {
    await isTagged(destination, each, hint);
  });
}

/**
 * Whether a tag points to a digest already.
 *
 * @param hint what to do instead if the tag points to another digest, which is then refused; undefined if it may be moved
 * @throws TsignError "input"
 */
export async function isTagged(
  store: ImageStore,
  { tag, digest }: Tagging,
  hint: string | undefined,
): Promise<boolean> {
  const there = await existingTag(store, tag);
  if (!there || there.digest === digest) return there !== undefined;
  if (hint === undefined) return false;
  throw new TsignError("input", `image "${store.name}:${tag}" already exists`, { hint });
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
