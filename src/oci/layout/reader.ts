import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { isDigest } from "../../format/digest.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { INDEX_TYPE, MAX_MANIFEST, readManifest } from "../manifest.ts";
import { requireWithin } from "../registry/blobs.ts";
import { fallbackTag } from "../tags.ts";
import type { Descriptor, ImageStore } from "../types.ts";
import { blobName, type LayoutFiles, readBlobFile, readManifestFile } from "./files.ts";
import {
  imageEntries,
  imageEntry,
  isAttachment,
  isMarkedAsImage,
  kindOf,
  type LayoutImage,
  namesOf,
  REF_NAME,
  tagIn,
} from "./image-entry.ts";

/** Most blobs scanned for referrers. */
const MAX_SCANNED = 100_000;
/** Largest blob scanned for referrers, in bytes. */
const MAX_REFERRER = 4 * 1024 * 1024;
const OCTETS = "application/octet-stream";

/** An OCI layout that is read (OCI image spec, image-layout.md), in a folder or an archive. Writing to it fails. */
export interface LayoutReader extends ImageStore {
  /** Its files, for what is stored beside the images. */
  readonly files: LayoutFiles;
  /**
   * Returns the image the layout was saved for, after checking its manifest's digest.
   *
   * @throws TsignError "input" when its manifest is missing or there are several images, "registry" for a digest mismatch
   */
  image(): Promise<Descriptor>;
  /** Returns all images of the layout, after checking the digests of their manifests. @throws like `image` */
  images(): Promise<LayoutImage[]>;
}

/** Reads from a layout. @param entries of its index.json, which may change later */
export function layoutReader(files: LayoutFiles, entries: readonly Descriptor[]): LayoutReader {
  const { path } = files;
  let scanned: ReturnType<typeof scanSubjects> | undefined;
  const content = { path, read: (digest: Descriptor["digest"]) => readManifestFile(files, digest) };
  const present = async (image: Descriptor) => {
    if (await content.read(image.digest)) return;
    throw new TsignError("input", `read ${path}: the manifest ${image.digest} listed in index.json is missing`);
  };
  const refuse = async (): Promise<never> => {
    throw new TsignError("unsupported", `write to ${path}: it is only read`);
  };
  const store: LayoutReader = {
    name: path,
    files,
    async image() {
      const image = await imageEntry(entries, content);
      await present(image);
      return image;
    },
    async images() {
      const images = await imageEntries(entries, content);
      if (images.length === 0) await imageEntry(entries, content);
      for (const { descriptor } of images) await present(descriptor);
      return images;
    },
    async resolve(identifier) {
      if (!isDigest(identifier)) return entryFor(entries, identifier);
      return (await content.read(identifier))?.descriptor;
    },
    async manifest(identifier) {
      const digest = isDigest(identifier) ? identifier : entryFor(entries, identifier)?.digest;
      return digest && content.read(digest);
    },
    async blob(descriptor, { maxBytes }) {
      requireWithin(maxBytes, descriptor, `${path}@${descriptor.digest}`);
      const pieces: Uint8Array[] = [];
      for await (const piece of store.blobStream(descriptor)) pieces.push(piece);
      return Buffer.concat(pieces);
    },
    blobStream: (descriptor) => readBlobFile(files, descriptor),
    blobFile: ({ digest }) => files.pathOf?.(blobName(digest)),
    async *referrers(subject) {
      scanned ??= scanSubjects(files);
      yield* (await scanned).get(subject) ?? [];
    },
    tags: async () => entries.flatMap(({ annotations }) => annotations?.[REF_NAME] ?? []),
    putBlob: refuse,
    putManifest: refuse,
    putReferrer: refuse,
    listReferrers: refuse,
    delete: refuse,
  };
  return store;
}

/** Reads the entries of index.json. @throws TsignError "input" when the folder is not a layout */
export async function readIndex(files: LayoutFiles): Promise<Descriptor[]> {
  const { path } = files;
  const missing = (name: string) =>
    new TsignError("input", `read image layout ${path}: missing ${name}`, {
      hint: "name a folder or archive that `tsign save` wrote",
    });
  const file = `${path}/index.json`;
  if ((await files.size("index.json")) === undefined) throw missing("index.json");
  const bytes = await files.read("index.json", { maxBytes: MAX_MANIFEST });
  if ((await files.size("oci-layout")) === undefined) throw missing("oci-layout");
  try {
    const index = readManifest(bytes, { servedType: INDEX_TYPE, where: file });
    return [...(index.manifests ?? [])];
  } catch (cause) {
    throw new TsignError("input", cause instanceof TsignError ? cause.message : `read ${file}: invalid index`, {
      cause,
    });
  }
}

/** Returns the entry for a tag: the one with that name, or the one that stores the image's `.sig` or `.att` tag. */
export function entryFor(entries: readonly Descriptor[], tag: string): Descriptor | undefined {
  const named =
    entries.find(({ annotations }) => annotations?.[REF_NAME] === tag) ??
    entries.find((entry) => isAttachment(entry) && namesOf(entry).some((name) => tagIn(name) === tag));
  if (named) return named;
  const image = entries.find(isMarkedAsImage);
  const suffix = { ".sig": "sigs", ".att": "atts" }[tag.slice(-4)];
  if (!image || !suffix || !tag.startsWith(fallbackTag(image.digest))) return undefined;
  return entries.find(({ annotations }) => kindOf(annotations) === suffix);
}

/** Returns the manifests that have a subject, by the subject's digest. Other files, and files over MAX_REFERRER, are skipped. */
async function scanSubjects(files: LayoutFiles): Promise<ReadonlyMap<string, Descriptor[]>> {
  const blobs = (await files.list("blobs/sha256")).filter(({ name }) => isDigest(`sha256:${name}`));
  if (blobs.length > MAX_SCANNED) {
    throw new TsignError("limit", `read image layout ${files.path}: it contains more than ${MAX_SCANNED} blobs`);
  }
  const found = new Map<string, Descriptor[]>();
  for (const { name, size } of blobs) {
    if (size === 0 || size > MAX_REFERRER) continue;
    const bytes = await files.read(`blobs/sha256/${name}`, { maxBytes: MAX_REFERRER });
    const subject = bytes[0] === 0x7b ? subjectOf(bytes) : undefined;
    if (subject === undefined) continue;
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as const;
    const entries = found.get(subject) ?? [];
    entries.push({ mediaType: OCTETS, digest, size });
    found.set(subject, entries);
  }
  return found;
}

function subjectOf(bytes: Uint8Array): string | undefined {
  try {
    const value = parseJson(bytes, "a blob");
    const subject = isObject(value) && isObject(value["subject"]) ? value["subject"]["digest"] : undefined;
    return typeof subject === "string" ? subject : undefined;
  } catch (error) {
    if (error instanceof TsignError) return undefined; // not a manifest, although it starts with a brace
    throw error;
  }
}
