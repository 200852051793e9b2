import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor, StoredManifest } from "../types.ts";

/** Prefix of the annotation `kind`, with which cosign says what an entry of index.json is. */
export const KIND = "dev.cosignproject.cosign/";
/** Annotation of an entry of index.json: the tag it is stored under (OCI image spec, annotations.md). */
export const REF_NAME = "org.opencontainers.image.ref.name";
/** Tags of attachments, which are never the layout's image. */
const ATTACHMENT_TAG = /^sha(256|512)-[0-9a-f]{64}(\.(sig|att|sbom))?$/;
/** Annotation in which containerd and docker buildx write the whole name of an image. */
const CONTAINERD_NAME = "io.containerd.image.name";
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

/** Returns the tag in a name: the whole name, or what follows the last colon of `registry/repository:tag`. */
export function tagIn(name: string): string {
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(colon + 1) : name;
}

/** Returns the names of an entry, containerd's first: programs differ in which one they follow. */
export function namesOf({ annotations }: Descriptor): string[] {
  return [CONTAINERD_NAME, REF_NAME].map((key) => annotations?.[key] ?? "").filter((name) => name !== "");
}

/**
 * Reports whether an entry is only an attachment: all its names are tags like `sha256-<hex>.sig`, alone or in a repository, or it
 * has no name and cosign's kind says so. With another name it is an image that some program takes from the layout.
 */
export function isAttachment(entry: Descriptor): boolean {
  const names = namesOf(entry);
  if (names.length === 0) return /^(sigs|atts)$/.test(kindOf(entry.annotations));
  return names.every((name) => ATTACHMENT_TAG.test(tagIn(name)));
}

/** An image of a layout. */
export interface LayoutImage {
  readonly descriptor: Descriptor;
  /** Its names, as other programs or `save` wrote them: tags, or `registry/repository:tag`. */
  readonly names: readonly string[];
  /** Every name by which some program finds it: `names`, and the tags that containerd's names are listed with. */
  readonly aliases: readonly string[];
}

/** Returns the image of a layout that has exactly one. @throws TsignError "input" */
export async function imageEntry(entries: readonly Descriptor[], from: LayoutContent): Promise<Descriptor> {
  const found = await imageEntries(entries, from);
  const [image] = found;
  if (image && found.length === 1) return image.descriptor;
  const digests = found.map(({ descriptor }) => descriptor.digest);
  const listed = found.length === 0 ? "" : `: ${digests.slice(0, 3).join(", ")}${digests.length > 3 ? ", …" : ""}`;
  const count = found.length === 0 ? "none" : `${found.length}${listed}`;
  throw new TsignError("input", `read ${from.path}/index.json: expected one image, found ${count}`, {
    hint: found.length === 0 ? "save the image again" : `name one of them: ${from.path}@${digests[0]}`,
  });
}

/** What the images of a layout are found with. */
export interface LayoutContent {
  readonly path: string;
  /** Returns a manifest of the layout; undefined when it is missing. */
  readonly read: (digest: Digest) => Promise<StoredManifest | undefined>;
}

/**
 * Returns the images of a layout, by the rule that other programs follow: the entries with a name, else the entries that no other
 * entry contains and that have no subject (`oras copy -r` lists an index, its platforms and its referrers side by side). What
 * cosign's annotation names is an image, too: whoever verifies a layout must verify every image that a program may take from it.
 *
 * @param entries of index.json
 * @throws TsignError "limit" for more manifests than can be searched
 */
export async function imageEntries(
  entries: readonly Descriptor[],
  { path, read }: LayoutContent,
): Promise<LayoutImage[]> {
  const images = entries.filter((entry) => !isAttachment(entry));
  const named = images.filter(
    ({ annotations }) => annotations?.[REF_NAME] !== undefined || annotations?.[CONTAINERD_NAME] !== undefined,
  );
  const digests = new Set(images.map(({ digest }) => digest));
  const chosen =
    digests.size < 2
      ? images
      : named.length > 0
        ? named
        : await entriesAtTop(images, { digests, read: limited(read, path) });
  const possible = new Set([...chosen, ...images.filter(isMarkedAsImage)].map(({ digest }) => digest));
  return [...possible].map((digest) => {
    const same = images.filter((entry) => entry.digest === digest);
    const [descriptor] = same.toSorted((a, b) => annotationCount(b) - annotationCount(a));
    if (!descriptor) throw new TsignError("internal", `read ${path}/index.json: ${digest} is not listed`);
    const names = new Set(same.flatMap((entry) => namesOf(entry).slice(0, 1)));
    return { descriptor, names: [...names], aliases: [...new Set(same.flatMap(namesOf))] };
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
