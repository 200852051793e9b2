import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";

/**
 * The image of one platform out of an index.
 *
 * @param platform `os/architecture[/variant][:os version]`, as in `--platform`
 * @throws TsignError "input" when there is no index, or not exactly one image of the platform
 */
export async function imageForPlatform(store: ImageStore, index: Digest, platform: string): Promise<Digest> {
  const stored = await store.manifest(index);
  const name = `${store.name}@${index}`;
  if (!stored) throw new TsignError("image-not-found", `no such image: ${name}`);
  const children = stored.manifest.manifests;
  if (!children) {
    throw new TsignError("input", `specified reference is not a multiarch image: ${name}`, {
      hint: "without --platform it is taken as it is",
    });
  }
  const [found, ...others] = children.filter((child) => matches(child, platform));
  if (found && others.length === 0) return found.digest;
  const there = children.map(platformName).filter((each) => each !== "" && each !== "unknown/unknown");
  throw new TsignError("input", `${name} has ${found ? "several images" : "no image"} for ${platform}`, {
    hint: `it has ${[...new Set(there)].join(", ") || "none that says its platform"}`,
  });
}

/** What is asked for must be there; what is not asked for may be anything. */
function matches({ platform = {} }: Descriptor, wanted: string): boolean {
  const [path = "", version] = wanted.split(":");
  const [os, architecture, variant] = path.split("/");
  return (
    platform["os"] === os &&
    (architecture === undefined || platform["architecture"] === architecture) &&
    (variant === undefined || platform["variant"] === variant) &&
    (version === undefined || platform["os.version"] === version)
  );
}

function platformName({ platform = {} }: Descriptor): string {
  const { os, architecture, variant } = platform as Record<string, string | undefined>;
  return [os, architecture, variant].filter((part) => part !== undefined).join("/");
}
