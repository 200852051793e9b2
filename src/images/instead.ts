import { TsignError } from "../errors.ts";
import type { Evidence, Found } from "../evidence/model.ts";
import { findStored, isWanted, type SearchOptions } from "./candidates.ts";
import type { ImageTarget } from "./open.ts";
import type { Instead } from "./verdict.ts";

/** Most images of an index to look at. */
const MAX_CHILDREN = 16;
/** Most candidates of each image to look at: a hint should cost less than the verification. */
const MAX_CANDIDATES = 32;

/**
 * Finds what the image has instead of the wanted signatures or attestations, for a hint. It does not fail: what cannot be read
 * is ignored.
 *
 * @throws only for a defect of tsign or an abort
 */
export async function findInstead(
  io: { readonly signal: AbortSignal },
  target: ImageTarget,
  options: SearchOptions,
): Promise<Instead> {
  try {
    if (!options.bundles) {
      const bundles = findStored(target, options, { legacy: false, bundle: true });
      if (await hasOne(bundles, options)) return { kind: "bundles" };
    }
    return (await childWithSome(target, options)) ?? { kind: "nothing" };
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
    return { kind: "nothing" };
  }
}

async function hasOne(found: AsyncIterable<Found>, { wanted }: SearchOptions): Promise<boolean> {
  let count = 0;
  const counts = (candidate: Evidence) => isWanted(candidate, wanted, () => {});
  for await (const each of found) {
    if ("content" in each && counts(each)) return true;
    if (++count === MAX_CANDIDATES) return false;
  }
  return false;
}

/** The first image of an index with the wanted signatures or attestations. */
async function childWithSome(target: ImageTarget, options: SearchOptions): Promise<Instead | undefined> {
  const children = (await target.store.manifest(target.digest))?.manifest.manifests ?? [];
  for (const { digest, platform } of children.slice(0, MAX_CHILDREN)) {
    if (!(await hasOne(findStored({ ...target, digest }, options), options))) continue;
    const names = [platform?.["os"], platform?.["architecture"]].filter((part) => typeof part === "string");
    return { kind: "child", digest, platform: names.join("/") };
  }
  return undefined;
}
