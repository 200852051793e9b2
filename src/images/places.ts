import { TsignError } from "../errors.ts";
import { type LayoutImage, tagIn } from "../oci/layout/image-entry.ts";
import { parseReference, parseRepository, type Repository } from "../oci/ref.ts";
import type { Descriptor } from "../oci/types.ts";

/** Where an image of an archive is loaded to. */
export interface Place {
  readonly ref: Repository;
  readonly image: Descriptor;
  /** The tags to set; an image is always stored under its digest. */
  readonly tags: readonly string[];
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * Returns where each image of an archive is loaded to: with its old tags into one repository, or, with `keepPaths`, into its old
 * repository below a prefix.
 *
 * @param options.text the repository or the prefix
 * @param options.path of the archive, for errors
 * @throws TsignError "input" for two images with one tag in one repository, or a name that is not a reference
 */
export function placesOf(
  images: readonly LayoutImage[],
  { text, keepPaths, path }: { text: string; keepPaths: boolean; path: string },
): Place[] {
  const places = images.flatMap((image) => (keepPaths ? placesBelow(image, text, path) : [placeIn(image, text)]));
  const owners = new Map<string, string>();
  for (const { ref, image, tags } of places) {
    for (const tag of tags) {
      const name = `${ref.name}:${tag}`;
      const other = owners.get(name) ?? image.digest;
      if (other !== image.digest) {
        throw new TsignError("input", `load ${path}: ${other} and ${image.digest} would both become ${name}`, {
          hint: keepPaths
            ? `load one of them: --dir ${path}@${image.digest}`
            : "pass --keep-paths to load each into its own repository",
        });
      }
      owners.set(name, image.digest);
    }
  }
  return places;
}

function placeIn({ descriptor, names }: LayoutImage, text: string): Place {
  const tags = names.map(tagOf).filter((tag) => tag !== undefined);
  return { ref: parseRepository(text), image: descriptor, tags: [...new Set(tags)] };
}

function placesBelow({ descriptor, names }: LayoutImage, prefix: string, path: string): Place[] {
  const byRepository = new Map<string, { ref: Repository; tags: string[] }>();
  for (const name of names.filter((each) => each.includes("/"))) {
    const { repository } = parseReference(name);
    const ref = parseRepository(`${prefix.replace(/\/+$/, "")}/${repository}`);
    const place = byRepository.get(ref.name) ?? { ref, tags: [] };
    const tag = tagOf(name);
    if (tag !== undefined) place.tags.push(tag);
    byRepository.set(ref.name, place);
  }
  if (byRepository.size === 0) {
    throw new TsignError("input", `load ${path}: the name of ${descriptor.digest} has no repository path`, {
      hint: "leave out --keep-paths",
    });
  }
  return [...byRepository.values()].map(({ ref, tags }) => ({ ref, image: descriptor, tags }));
}

/** The tag of a name; undefined for a digest, and for a name that is not a tag, which other programs may write. */
function tagOf(name: string): string | undefined {
  if (name.includes("@")) return undefined;
  const tag = tagIn(name);
  return TAG.test(tag) ? tag : undefined;
}
