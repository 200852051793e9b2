import { TsignError } from "../errors.ts";
import type { Evidence, Found } from "../evidence/model.ts";
import { isWanted, type SearchOptions, storedWith } from "./candidates.ts";
import type { ImageTarget } from "./open.ts";
import type { Instead } from "./verdict.ts";

/** Most images of an index that are looked at. */
const MAX_CHILDREN = 16;
/** Most of what is stored with each that is looked at: an explanation must not cost what the verdict may. */
const MAX_LOOKED_AT = 32;

/**
 * What there is in place of what was wanted: what hides it, or where it is instead. This explains a no and never fails: what
 * cannot be read is not told.
 *
 * @throws what is a defect of tsign, or the user's stop
 */
export async function lookElsewhere(
  io: { readonly signal: AbortSignal },
  target: ImageTarget,
  options: SearchOptions,
): Promise<Instead> {
  try {
    if (!options.bundles) {
      const bundles = storedWith(target, options, { legacy: false, bundle: true });
      if (await hasOne(bundles, options)) return { kind: "bundles" };
    }
    return (await childWithSome(target, options)) ?? { kind: "nothing" };
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
    return { kind: "nothing" };
  }
}

async function hasOne(found: AsyncIterable<Found>, { wanted }: SearchOptions): Promise<boolean> {
  let looked = 0;
  const counts = (candidate: Evidence) => isWanted(candidate, wanted, () => {});
  for await (const each of found) {
    if ("content" in each && counts(each)) return true;
    if (++looked === MAX_LOOKED_AT) return false;
  }
  return false;
}

/** The first image of an index that has what the index has not. */
async function childWithSome(target: ImageTarget, options: SearchOptions): Promise<Instead | undefined> {
  const children = (await target.store.manifest(target.digest))?.manifest.manifests ?? [];
  for (const { digest, platform } of children.slice(0, MAX_CHILDREN)) {
    if (!(await hasOne(storedWith({ ...target, digest }, options), options))) continue;
    const names = [platform?.["os"], platform?.["architecture"]].filter((part) => typeof part === "string");
    return { kind: "child", digest, platform: names.join("/") };
  }
  return undefined;
}
