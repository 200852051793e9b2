import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { type PlaceFlags, storedWith, type Target } from "./image-judging.ts";

/** Most images of an index that are looked at for a hint. */
const MAX_CHILDREN = 16;
/** Most of what is stored with each that is looked at: a hint must not cost what the verdict may. */
const MAX_LOOKED_AT = 32;

/**
 * What to do about an image that nothing was found for: what hides them, or where they are instead. A hint never fails: what
 * cannot be read is not said.
 *
 * @param options.counts whether a candidate is what was looked for
 */
export async function hintForNothing(
  io: Io,
  target: Target,
  options: { flags: PlaceFlags; attachment: "sig" | "att"; counts: (candidate: Evidence) => boolean },
): Promise<string> {
  const { flags, counts } = options;
  const what = options.attachment === "att" ? "attestations" : "signatures";
  try {
    const bundles = storedWith(io, target, { ...options, forms: { legacy: false, bundle: true } });
    if (!flags.newBundleFormat && (await hasOne(bundles, counts))) {
      return `it has ${what} in the bundle form: leave out --new-bundle-format=false to verify them`;
    }
    const child = await childWithSome(io, target, options);
    if (child) {
      const { digest, platform } = child;
      const how = flags.localImage
        ? `\`tsign load\` the folder into a registry to verify ${digest}`
        : `verify it by its digest: ${target.repository}@${digest}`;
      return `the index has none of its own, but its image${platform} has: ${how}`;
    }
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
  }
  if (flags.localImage)
    return `the folder holds what was stored with the image when it was saved: sign it, and save it again`;
  const elsewhere = io.env["COSIGN_REPOSITORY"];
  if (elsewhere) return `COSIGN_REPOSITORY is set: were its ${what} stored in ${elsewhere}?`;
  return "is COSIGN_REPOSITORY set as it was when signing?";
}

async function hasOne(
  found: ReturnType<typeof storedWith>,
  counts: (candidate: Evidence) => boolean,
): Promise<boolean> {
  let looked = 0;
  for await (const each of found) {
    if ("content" in each && counts(each)) return true;
    if (++looked === MAX_LOOKED_AT) return false;
  }
  return false;
}

/** The first image of an index that has what the index has not. */
async function childWithSome(
  io: Io,
  target: Target,
  options: Parameters<typeof hintForNothing>[2],
): Promise<{ digest: Digest; platform: string } | undefined> {
  const children = (await target.store.manifest(target.digest))?.manifest.manifests ?? [];
  for (const { digest, platform } of children.slice(0, MAX_CHILDREN)) {
    if (!(await hasOne(storedWith(io, { ...target, digest }, options), options.counts))) continue;
    const names = [platform?.["os"], platform?.["architecture"]].filter((part) => typeof part === "string");
    return { digest, platform: names.length > 0 ? ` for ${names.join("/")}` : "" };
  }
  return undefined;
}
