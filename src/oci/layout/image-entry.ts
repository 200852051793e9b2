import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor, StoredManifest } from "../types.ts";

/** Prefix of cosign's marks of entries: the annotation `kind`. */
export const KIND = "dev.cosignproject.cosign/";
/** Annotation of an entry of index.json: what is kept under that tag (OCI image spec, annotations.md). */
export const REF_NAME = "org.opencontainers.image.ref.name";
/** Tags of what is attached to an image, which is not an image to choose. */
const ATTACHMENT_TAG = /^sha(256|512)-[0-9a-f]{64}(\.(sig|att|sbom))?$/;
/** Most manifests read to find out which entries belong to others. */
const MAX_READ = 1000;

/** What cosign marked an entry as: `image`, `imageIndex`, `sigs`, `atts`; "" without its mark. */
export function kindOf(annotations: Descriptor["annotations"]): string {
  const kind = annotations?.["kind"] ?? "";
  return kind.startsWith(KIND) ? kind.slice(KIND.length) : "";
}

export function isMarkedAsImage({ annotations }: Descriptor): boolean {
  return /^image(Index)?$/.test(kindOf(annotations));
}

/**
 * The one image of a layout, by the rule that other programs have: the one entry with a name, else the one entry that no
 * other contains and that refers to no other (`oras copy -r` lists an index, its platforms and its referrers side by side).
 * Where cosign marked another entry as the image, or the rule leaves more than one, no entry is the image: a signature of one
 * must not pass for the folder that somebody else takes another one from.
 *
 * @param entries of index.json
 * @param read a manifest of the layout; undefined when it is not there
 * @throws TsignError "input"
 */
export async function imageEntry(
  entries: readonly Descriptor[],
  { path, read }: { path: string; read: (digest: Digest) => Promise<StoredManifest | undefined> },
): Promise<Descriptor> {
  const images = entries.filter(({ annotations }) => {
    return !/^(sigs|atts)$/.test(kindOf(annotations)) && !ATTACHMENT_TAG.test(annotations?.[REF_NAME] ?? "");
  });
  const named = images.filter(({ annotations }) => annotations?.[REF_NAME] !== undefined);
  const digests = new Set(images.map(({ digest }) => digest));
  const chosen =
    digests.size < 2
      ? images
      : named.length > 0
        ? named
        : await entriesAtTop(images, { digests, read: limited(read, path) });
  const possible = new Set([...chosen, ...images.filter(isMarkedAsImage)].map(({ digest }) => digest));
  const [image] = images.filter(({ digest }) => possible.has(digest)).sort((a, b) => marks(b) - marks(a));
  if (image && possible.size === 1) return image;
  const found = possible.size === 0 ? "" : `: ${[...possible].slice(0, 3).join(", ")}${possible.size > 3 ? ", …" : ""}`;
  throw new TsignError("input", `${path}/index.json does not say which of its entries is the image${found}`, {
    hint: "save one image to a folder of its own",
  });
}

/** Of several entries for one digest, the one that says most. */
function marks({ annotations }: Descriptor): number {
  return Object.keys(annotations ?? {}).length;
}

/** The entries that have no subject and that no other entry contains, directly or in an index of its own. */
async function entriesAtTop(
  images: readonly Descriptor[],
  { digests, read }: { digests: ReadonlySet<Digest>; read: (digest: Digest) => Promise<StoredManifest | undefined> },
): Promise<Descriptor[]> {
  const below = new Set<Digest>();
  const referring = new Set<Digest>();
  const seen = new Set<Digest>(digests);
  const left = [...digests];
  for (let digest = left.pop(); digest !== undefined; digest = left.pop()) {
    const stored = await read(digest);
    if (digests.has(digest) && stored?.manifest.subject) referring.add(digest);
    for (const child of stored?.manifest.manifests ?? []) {
      below.add(child.digest);
      if (!seen.has(child.digest)) left.push(child.digest);
      seen.add(child.digest);
    }
  }
  return images.filter(({ digest }) => !below.has(digest) && !referring.has(digest));
}

function limited(read: (digest: Digest) => Promise<StoredManifest | undefined>, path: string): typeof read {
  let count = 0;
  return (digest) => {
    if (++count > MAX_READ) throw new TsignError("limit", `${path}/index.json lists more than ${MAX_READ} manifests`);
    return read(digest);
  };
}
