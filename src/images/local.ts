import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import { giveBack } from "../format/pieces.ts";
import { blobName, type LayoutIo } from "../oci/layout/files.ts";
import { type LayoutImage, tagIn } from "../oci/layout/image-entry.ts";
import { openAnyLayout } from "../oci/layout/layout.ts";
import type { LayoutReader } from "../oci/layout/reader.ts";
import { NOT_DISTRIBUTED } from "../oci/transfer.ts";
import type { Descriptor } from "../oci/types.ts";
import type { ImageTarget } from "./open.ts";

/** Deepest nesting of indexes. */
const MAX_DEPTH = 8;

/** Images in a folder or an archive. */
export interface LocalImages {
  /** Path of the folder or archive. */
  readonly path: string;
  readonly layout: LayoutReader;
  /** At least one. */
  readonly images: readonly LayoutImage[];
}

/**
 * Opens the images of a folder or an archive (OCI image layout): `PATH` for all of them, `PATH@sha256:…` or `PATH:NAME` for one.
 *
 * @throws TsignError "input" for a path that is not a layout, or a name that it does not contain
 */
export async function openLocalImages(io: LayoutIo, text: string): Promise<LocalImages> {
  const { path, name } = await splitName(io, text);
  const layout = await openAnyLayout(io, path);
  if (name === undefined) return { path, layout, images: await layout.images() };
  if (isDigest(name)) {
    const descriptor = await layout.resolve(name);
    if (!descriptor) throw new TsignError("input", `read ${path}: it does not contain ${name}`);
    return { path, layout, images: [{ descriptor, names: [], aliases: [] }] };
  }
  const all = await layout.images();
  const exact = all.filter(({ aliases }) => aliases.includes(name));
  const found = exact.length > 0 ? exact : all.filter(({ aliases }) => aliases.some((each) => tagIn(each) === name));
  if (found.length === 1) return { path, layout, images: found };
  const known = all.flatMap(({ names }) => names).slice(0, 10);
  throw new TsignError("input", `read ${path}: expected one image named ${name}, found ${found.length}`, {
    hint: known.length > 0 ? `name one of: ${known.join(", ")}` : "name an image by its digest",
  });
}

/** Whether a text names a folder or an archive and cannot be a reference: `./app`, `../app`, `/app`, `app.tar`, `app.tar:v1`. */
export function isLocalName(text: string): boolean {
  return /^(\.{1,2})?[/\\]/.test(text) || /^[^:@]*\.tar([:@]|$)/.test(text);
}

/** Splits `PATH:NAME` and `PATH@DIGEST` at the first place where the part before is a file or folder. */
async function splitName(io: LayoutIo, text: string): Promise<{ path: string; name: string | undefined }> {
  if (await io.files.stat(text)) return { path: text, name: undefined };
  for (const { index } of text.matchAll(/[:@]/g)) {
    const [path, name] = [text.slice(0, index), text.slice(index + 1)];
    if (path !== "" && name !== "" && (await io.files.stat(path))) return { path, name };
  }
  return { path: text, name: undefined };
}

/**
 * Returns a text for each image of folders and archives: the path if there is one image, else the path with the image's name, or
 * with its digest if it has no name of its own.
 *
 * @param texts as for `openLocalImages`
 */
export async function eachLocalImage(io: LayoutIo, texts: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const text of texts) {
    const { path, images } = await openLocalImages(io, text);
    const counts = new Map<string, number>();
    for (const name of images.flatMap(({ aliases }) => aliases)) counts.set(name, (counts.get(name) ?? 0) + 1);
    for (const { descriptor, names } of images) {
      const name = names.find((each) => counts.get(each) === 1);
      const own = name === undefined || isDigest(name) ? `${path}@${descriptor.digest}` : `${path}:${name}`;
      found.push(images.length === 1 ? text : own);
    }
  }
  return found;
}

/**
 * Opens an image of a folder or an archive for verification.
 *
 * @param text as for `openLocalImages`
 * @throws TsignError "input" also when it contains several images
 */
export async function localTarget(io: LayoutIo, text: string): Promise<ImageTarget & { layout: LayoutReader }> {
  const { path, layout, images } = await openLocalImages(io, text);
  const [first] = images;
  const { digest, annotations } = images.length === 1 && first ? first.descriptor : await layout.image();
  const repository = annotations?.["org.opencontainers.image.ref.name"] ?? "";
  const name = text === path ? path : text;
  return { name, reference: name, digest, store: layout, attachments: layout, repository, layout };
}

/**
 * Checks the content of an image in a folder or an archive: every manifest and blob that is there has its digest and size.
 *
 * @param options.watch passes on the pieces of a blob, to show how far it is
 * @returns what is missing: an image may be stored without the layers of some platforms
 * @throws TsignError "registry" for content with another digest or size, "limit" for indexes nested too deep
 */
export async function missingContent(
  layout: LayoutReader,
  root: Descriptor["digest"],
  { watch }: { watch: (blob: Descriptor, pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> },
): Promise<Descriptor[]> {
  const missing: Descriptor[] = [];
  const seen = new Set<string>();
  const isNew = ({ digest }: Pick<Descriptor, "digest">) => seen.size < seen.add(digest).size;
  const visit = async (entry: Pick<Descriptor, "digest"> & Partial<Descriptor>, depth: number): Promise<void> => {
    if (!isNew(entry)) return;
    if (depth > MAX_DEPTH) {
      throw new TsignError("limit", `${layout.name}@${root}: indexes are nested deeper than ${MAX_DEPTH} levels`);
    }
    const stored = await layout.manifest(entry.digest);
    if (!stored) {
      missing.push({ mediaType: "", size: 0, ...entry });
      return;
    }
    const { manifests = [], config, layers } = stored.manifest;
    for (const child of manifests) await visit(child, depth + 1);
    for (const blob of [...(config ? [config] : []), ...layers]) {
      if (!isNew(blob)) continue;
      const isThere = (await layout.files.size(blobName(blob.digest))) !== undefined;
      if (isThere) for await (const piece of watch(blob, layout.blobStream(blob))) giveBack(piece);
      else if (!NOT_DISTRIBUTED.test(blob.mediaType)) missing.push(blob);
    }
  };
  await visit({ digest: root }, 0);
  return missing;
}
