import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { digestOf, isDigest } from "../../format/digest.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { MAX_MANIFEST, readManifest } from "../manifest.ts";
import { requireWithin } from "../registry/blobs.ts";
import { fallbackTag } from "../tags.ts";
import type { Descriptor, ImageStore } from "../types.ts";
import {
  fileSize,
  type LayoutIo,
  readBlobFile,
  readManifestFile,
  refuseLinkedFolders,
  writeBlobFile,
} from "./files.ts";
import { imageEntry, isMarkedAsImage, KIND, kindOf, REF_NAME } from "./image-entry.ts";

/** Most blobs scanned for referrers. */
const MAX_SCANNED = 100_000;
/** Largest blob scanned for referrers, in bytes. */
const MAX_REFERRER = 4 * 1024 * 1024;
const OCTETS = "application/octet-stream";

/** How an entry of index.json is named: by cosign's kind, or by the tag it would have in a registry. */
export type EntryName = { readonly kind: "image" | "imageIndex" | "sigs" | "atts" } | { readonly tag: string };

/** An OCI layout on disk (OCI image spec, image-layout.md), as `save` writes it. */
export interface LayoutStore extends ImageStore {
  /**
   * Returns the image the layout was saved for, after checking its manifest's digest.
   *
   * @throws TsignError "input" when its manifest is missing, "registry" for a digest mismatch
   */
  image(): Promise<Descriptor>;
  /** Replaces the entries of index.json. Before that, the folder is not a layout, or is still the previous one. */
  commit(entries: readonly { descriptor: Descriptor; name: EntryName }[]): Promise<void>;
}

/**
 * Opens the layout in a folder. `save` stores legacy signatures as an entry of index.json with `kind: …/sigs`, and bundles as
 * blobs whose `subject` is the image.
 *
 * @throws TsignError "input" when the folder is not a layout, or contains symbolic links
 */
export async function openLayout(io: LayoutIo, path: string): Promise<LayoutStore> {
  const entries = await readIndex(io, path);
  await refuseLinkedFolders(io, path);
  return layoutStore(io, path, entries);
}

/**
 * Opens a folder to write a layout into, and creates it if it does not exist. Existing blobs are kept.
 *
 * @throws TsignError "input" when it contains symbolic links
 */
export async function createLayout(io: LayoutIo, path: string): Promise<LayoutStore> {
  await io.files.makeDirectory(path);
  await refuseLinkedFolders(io, path);
  for (const name of ["index.json", "oci-layout"]) await fileSize(io, `${path}/${name}`);
  await io.files.makeDirectory(`${path}/blobs/sha256`);
  return layoutStore(io, path, []);
}

function layoutStore(io: LayoutIo, path: string, entries: Descriptor[]): LayoutStore {
  let scanned: ReturnType<typeof scanSubjects> | undefined;
  const store: LayoutStore = {
    name: path,
    async image() {
      const image = await imageEntry(entries, { path, read: (digest) => readManifestFile(io, path, digest) });
      if (await readManifestFile(io, path, image.digest)) return image;
      throw new TsignError("input", `read ${path}: the manifest ${image.digest} listed in index.json is missing`);
    },
    async resolve(identifier) {
      if (!isDigest(identifier)) return entryFor(entries, identifier);
      return (await readManifestFile(io, path, identifier))?.descriptor;
    },
    async manifest(identifier) {
      const digest = isDigest(identifier) ? identifier : entryFor(entries, identifier)?.digest;
      return digest && readManifestFile(io, path, digest);
    },
    async blob(descriptor, { maxBytes }) {
      requireWithin(maxBytes, descriptor, `${path}@${descriptor.digest}`);
      const pieces: Uint8Array[] = [];
      for await (const piece of store.blobStream(descriptor)) pieces.push(piece);
      return Buffer.concat(pieces);
    },
    blobStream: (descriptor) => readBlobFile(io, path, descriptor),
    async *referrers(subject) {
      scanned ??= scanSubjects(io, path);
      yield* (await scanned).get(subject) ?? [];
    },
    tags: async () => entries.flatMap(({ annotations }) => annotations?.[REF_NAME] ?? []),
    async putBlob(content) {
      const blob =
        content instanceof Uint8Array
          ? { digest: digestOf(content), size: content.length, chunks: content, isChecked: true }
          : content;
      await writeBlobFile(io, path, { ...blob, content: blob.chunks });
      return { mediaType: OCTETS, digest: blob.digest, size: blob.size };
    },
    async putManifest(bytes, { mediaType, tag }) {
      const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
      await writeBlobFile(io, path, { ...descriptor, content: bytes, isChecked: true });
      scanned = undefined;
      if (tag !== undefined) await writeIndex(io, path, withTag(entries, descriptor, tag));
      return descriptor;
    },
    putReferrer: (bytes, { mediaType }) => store.putManifest(bytes, { mediaType }),
    listReferrers: async () => {},
    async delete(identifier) {
      const kept = entries.filter((each) => each !== entryFor(entries, identifier) && each.digest !== identifier);
      if (kept.length === entries.length) return false;
      entries.splice(0, entries.length, ...kept);
      await writeIndex(io, path, entries);
      return true;
    },
    async commit(named) {
      entries.splice(0, entries.length, ...named.map(indexEntry));
      await io.files.replace(`${path}/oci-layout`, OCI_LAYOUT, { mode: 0o644 });
      await writeIndex(io, path, entries);
    },
  };
  return store;
}

const OCI_LAYOUT = JSON.stringify({ imageLayoutVersion: "1.0.0" }, null, 4);

function indexEntry({ descriptor, name }: { descriptor: Descriptor; name: EntryName }): Descriptor {
  const { mediaType, size, digest, artifactType } = descriptor;
  const annotations = "kind" in name ? { kind: `${KIND}${name.kind}` } : { [REF_NAME]: name.tag };
  return { mediaType, size, digest, annotations, ...(artifactType ? { artifactType } : {}) };
}

/** Reads the entries of index.json. @throws TsignError "input" when the folder is not a layout */
export async function readIndex(io: LayoutIo, path: string): Promise<Descriptor[]> {
  const missing = (name: string) =>
    new TsignError("input", `read image layout ${path}: missing ${name}`, {
      hint: "name a folder that `tsign save` wrote",
    });
  const file = `${path}/index.json`;
  if ((await fileSize(io, file)) === undefined) throw missing("index.json");
  const bytes = await io.files.read(file, { maxBytes: MAX_MANIFEST });
  if ((await fileSize(io, `${path}/oci-layout`)) === undefined) throw missing("oci-layout");
  try {
    const index = readManifest(bytes, { servedType: "application/vnd.oci.image.index.v1+json", where: file });
    return [...(index.manifests ?? [])];
  } catch (cause) {
    throw new TsignError("input", cause instanceof TsignError ? cause.message : `read ${file}: invalid index`, {
      cause,
    });
  }
}

/** Returns the entry for a tag: the one with that name, or the one that stores the image's `.sig` or `.att` tag. */
function entryFor(entries: readonly Descriptor[], tag: string): Descriptor | undefined {
  const named = entries.find(({ annotations }) => annotations?.[REF_NAME] === tag);
  if (named) return named;
  const image = entries.find(isMarkedAsImage);
  const suffix = { ".sig": "sigs", ".att": "atts" }[tag.slice(-4)];
  if (!image || !suffix || !tag.startsWith(fallbackTag(image.digest))) return undefined;
  return entries.find(({ annotations }) => kindOf(annotations) === suffix);
}

/** Returns the manifests that have a subject, by the subject's digest. Other files, and files over MAX_REFERRER, are skipped. */
async function scanSubjects(io: LayoutIo, path: string): Promise<ReadonlyMap<string, Descriptor[]>> {
  const names = (await io.files.list(`${path}/blobs/sha256`)).filter((name) => isDigest(`sha256:${name}`));
  if (names.length > MAX_SCANNED) {
    throw new TsignError("limit", `read image layout ${path}: it contains more than ${MAX_SCANNED} blobs`);
  }
  const found = new Map<string, Descriptor[]>();
  for (const name of names) {
    const file = `${path}/blobs/sha256/${name}`;
    const { kind, size } = (await io.files.stat(file, { links: "shown" })) ?? { kind: "other", size: 0 };
    if (kind !== "file" || size === 0 || size > MAX_REFERRER) continue;
    const bytes = await io.files.read(file, { maxBytes: MAX_REFERRER });
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

function withTag(entries: Descriptor[], descriptor: Descriptor, tag: string): readonly Descriptor[] {
  const kept = entries.filter(({ annotations }) => annotations?.[REF_NAME] !== tag);
  entries.splice(0, entries.length, ...kept, { ...descriptor, annotations: { [REF_NAME]: tag } });
  return entries;
}

async function writeIndex(io: LayoutIo, path: string, manifests: readonly Descriptor[]): Promise<void> {
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
  await io.files.replace(`${path}/index.json`, JSON.stringify(index, null, 3), { mode: 0o644 });
}
