import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { noSuchImage } from "./below.ts";

/**
 * Finds the image for a platform in an index.
 *
 * @param platform `os/architecture[/variant][:os version]`, as in `--platform`
 * @throws TsignError "input" if the image is not an index, or does not have exactly one image for the platform
 */
export async function imageForPlatform(store: ImageStore, index: Digest, platform: string): Promise<Digest> {
  const stored = await store.manifest(index);
  const name = `${store.name}@${index}`;
  if (!stored) throw noSuchImage(name);
  const children = stored.manifest.manifests;
  if (!children) {
    throw new TsignError("input", `specified reference is not a multiarch image: ${name}`, {
      hint: "leave out --platform",
    });
  }
  const [found, ...others] = children.filter((child) => matches(child, platform));
  if (found && others.length === 0) return found.digest;
  const names = platformNames(children);
  throw new TsignError("input", `${name} has ${found ? "several images" : "no image"} for platform ${platform}`, {
    hint:
      names.length > 0
        ? `set --platform to one of ${names.join(", ")}`
        : "pass the image by its digest, without --platform",
  });
}

/** Names of the platforms in an index; empty for a missing image, or one that is not an index. */
export async function platformsOf(store: ImageStore, index: Digest): Promise<string[]> {
  return platformNames((await store.manifest(index))?.manifest.manifests ?? []);
}

/** Whether a descriptor's platform matches; parts that `wanted` leaves out match anything. */
function matches({ platform = {} }: Descriptor, wanted: string): boolean {
  const [path = "", version] = wanted.split(":");
  const [os, architecture, variant] = path.split("/");
  return (
    (os === "" || platform["os"] === os) &&
    (architecture === undefined || platform["architecture"] === architecture) &&
    (variant === undefined || platform["variant"] === variant) &&
    (version === undefined || isVersion(platform["os.version"], version, os))
  );
}

/** Compares OS versions. For Windows, `10.0.14393` matches all its revisions, `10.0.14393.x`. */
function isVersion(found: unknown, wanted: string, os: string | undefined): boolean {
  if (found === wanted) return true;
  const isRelease = os === "windows" && wanted.split(".").length === 3;
  return isRelease && typeof found === "string" && found.replace(/\.[^.]*$/, "") === wanted;
}

function platformNames(children: readonly Descriptor[]): string[] {
  const names = children.map(({ platform = {} }) => {
    const { os, architecture, variant } = platform as Record<string, string | undefined>;
    return [os, architecture, variant].filter((part) => part !== undefined).join("/");
  });
  return [...new Set(names)].filter((each) => each !== "" && each !== "unknown/unknown");
}
