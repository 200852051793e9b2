import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor, StoredManifest } from "../types.ts";

/** Prefix of the annotation `kind`, with which cosign says what an entry of index.json is. */
export const KIND = "dev.cosignproject.cosign/";
/** Annotation of an entry of index.json: the tag it is stored under (OCI image spec, annotations.md). */
export const REF_NAME = "org.opencontainers.image.ref.name";
/** Tags of attachments, which are never the layout's image. */
const ATTACHMENT_TAG = /^sha(256|512)-[0-9a-f]{64}(\.(sig|att|sbom))?$/;
/** Most manifests read to find the entries that other entries contain. */
const MAX_READ = 1000;

/** Returns cosign's kind of an entry: `image`, `imageIndex`, `sigs` or `atts`; "" without the annotation. */
export function kindOf(annotations: Descriptor["annotations"]): string {
  const kind = annotations?.["kind"] ?? "";
  return kind.startsWith(KIND) ? kind.slice(KIND.length) : "";
}

export function isMarkedAsImage({ annotations }: Descriptor): boolean {
  return /^image(Index)?$/.test(kindOf(annotations));
}

/**
 * Returns the image of a layout, by the rule that other programs follow: the only entry with a name, else the only entry that
 * no other entry contains and that has no subject (`oras copy -r` lists an index, its platforms and its referrers side by
 * side). When more than one entry remains, or cosign's annotation names another one, the layout is refused: otherwise a
 * signature of one image would be accepted for a folder from which other programs take a different image.
 *
 * @param entries of index.json
 * @param read returns a manifest of the layout; undefined when it is missing
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
  const [image] = images
    .filter(({ digest }) => possible.has(digest))
    .sort((a, b) => annotationCount(b) - annotationCount(a));
  if (image && possible.size === 1) return image;
  const found = possible.size === 0 ? "" : `: ${[...possible].slice(0, 3).join(", ")}${possible.size > 3 ? ", …" : ""}`;
  const count = possible.size === 0 ? "none" : `${possible.size}${found}`;
  throw new TsignError("input", `read ${path}/index.json: expected one image, found ${count}`, {
    hint: "save each image to its own folder",
  });
}

/** Number of annotations: of several entries for one digest, the one with the most is chosen. */
function annotationCount({ annotations }: Descriptor): number {
  return Object.keys(annotations ?? {}).length;
}

/** Returns the entries that have no subject and that no other entry contains, directly or in a nested index. */
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
    if (++count > MAX_READ) {
      throw new TsignError("limit", `read ${path}/index.json: it lists more than ${MAX_READ} manifests`);
    }
    return read(digest);
  };
}
