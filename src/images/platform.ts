import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { noSuchImage } from "./below.ts";

/**
 * The image of one platform out of an index.
 *
 * @param platform `os/architecture[/variant][:os version]`, as in `--platform`
 * @throws TsignError "input" when there is no index, or not exactly one image of the platform
 */
export async function imageForPlatform(store: ImageStore, index: Digest, platform: string): Promise<Digest> {
  const stored = await store.manifest(index);
  const name = `${store.name}@${index}`;
  if (!stored) throw noSuchImage(name);
  const children = stored.manifest.manifests;
  if (!children) {
    throw new TsignError("input", `specified reference is not a multiarch image: ${name}`, {
      hint: "without --platform it is taken as it is",
    });
  }
  const [found, ...others] = children.filter((child) => matches(child, platform));
  if (found && others.length === 0) return found.digest;
  throw new TsignError("input", `${name} has ${found ? "several images" : "no image"} for ${platform}`, {
    hint: `it has ${platformNames(children).join(", ") || "none that says its platform"}`,
  });
}

/** Names of the platforms an index has images of; empty for what is no index, or not there. */
export async function platformsOf(store: ImageStore, index: Digest): Promise<string[]> {
  return platformNames((await store.manifest(index))?.manifest.manifests ?? []);
}

/** What is asked for must be there; what is not asked for may be anything. */
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

/** Of Windows, `10.0.14393` is any of its revisions, `10.0.14393.x`. */
function isVersion(there: unknown, wanted: string, os: string | undefined): boolean {
  if (there === wanted) return true;
  const isRelease = os === "windows" && wanted.split(".").length === 3;
  return isRelease && typeof there === "string" && there.replace(/\.[^.]*$/, "") === wanted;
}

function platformNames(children: readonly Descriptor[]): string[] {
  const names = children.map(({ platform = {} }) => {
    const { os, architecture, variant } = platform as Record<string, string | undefined>;
    return [os, architecture, variant].filter((part) => part !== undefined).join("/");
  });
  return [...new Set(names)].filter((each) => each !== "" && each !== "unknown/unknown");
}
