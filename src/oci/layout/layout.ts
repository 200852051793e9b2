import { TsignError } from "../../errors.ts";
import { digestOf } from "../../format/digest.ts";
import { INDEX_TYPE } from "../manifest.ts";
import type { Descriptor } from "../types.ts";
import { archiveFiles, isArchive } from "./archive-files.ts";
import { fileSize, folderFiles, type LayoutIo, refuseLinkedFolders, writeBlobFile } from "./files.ts";
import { KIND, REF_NAME } from "./image-entry.ts";
import { entryFor, type LayoutReader, layoutReader, readIndex } from "./reader.ts";

const OCTETS = "application/octet-stream";

/** How an entry of index.json is named: by cosign's kind, by the tag it would have in a registry, or by both. */
export interface EntryName {
  readonly kind?: "image" | "imageIndex" | "sigs" | "atts";
  /** A tag, or in a layout of several images `registry/repository:tag`. */
  readonly tag?: string;
}

/** An entry to write into index.json. */
export interface LayoutEntry {
  readonly descriptor: Descriptor;
  readonly name: EntryName;
}

/** An OCI layout in a folder (OCI image spec, image-layout.md), as `save` writes it. */
export interface LayoutStore extends LayoutReader {
  /** Replaces the entries of index.json. Before that, the folder is not a layout, or is still the previous one. */
  commit(entries: readonly LayoutEntry[]): Promise<void>;
}

/**
 * Opens a layout in an archive, whose name ends in `.tar`, or else in a folder.
 *
 * @throws TsignError "input" when it is not a layout, or contains links
 */
export async function openAnyLayout(io: LayoutIo, path: string): Promise<LayoutReader> {
  if (!isArchive(path) || (await io.files.stat(path))?.kind === "directory") return openLayout(io, path);
  const files = await archiveFiles(io, path);
  return layoutReader(files, await readIndex(files));
}

/**
 * Opens the layout in a folder. `save` stores legacy signatures as an entry of index.json with `kind: …/sigs`, and bundles as
 * blobs whose `subject` is the image.
 *
 * @throws TsignError "input" when the folder is not a layout, or contains symbolic links
 */
export async function openLayout(io: LayoutIo, path: string): Promise<LayoutStore> {
  const entries = await readIndex(folderFiles(io, path));
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
  let reader = layoutReader(folderFiles(io, path), entries);
  const store: LayoutStore = {
    ...reader,
    referrers: (subject) => reader.referrers(subject),
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
      reader = layoutReader(folderFiles(io, path), entries); // its list of referrers is out of date
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
      const written = uniqueEntries(named.map(indexEntry));
      entries.splice(0, entries.length, ...written);
      await io.files.replace(`${path}/oci-layout`, OCI_LAYOUT, { mode: 0o644 });
      await writeIndex(io, path, entries);
    },
  };
  return store;
}

/** The content of the file `oci-layout`. */
export const OCI_LAYOUT = JSON.stringify({ imageLayoutVersion: "1.0.0" }, null, 4);

function indexEntry({ descriptor, name: { kind, tag } }: LayoutEntry): Descriptor {
  const { mediaType, size, digest, artifactType } = descriptor;
  const annotations = {
    ...(kind === undefined ? {} : { kind: `${KIND}${kind}` }),
    ...(tag === undefined ? {} : { [REF_NAME]: tag }),
  };
  return { mediaType, size, digest, annotations, ...(artifactType ? { artifactType } : {}) };
}

function withTag(entries: Descriptor[], descriptor: Descriptor, tag: string): readonly Descriptor[] {
  const kept = entries.filter(({ annotations }) => annotations?.[REF_NAME] !== tag);
  entries.splice(0, entries.length, ...kept, { ...descriptor, annotations: { [REF_NAME]: tag } });
  return entries;
}

/** Returns entries without those that are listed twice. @throws TsignError "input" for one name of two manifests */
export function uniqueEntries(entries: readonly Descriptor[]): Descriptor[] {
  const byName = new Map<string, Descriptor>();
  for (const entry of entries) {
    const name = entry.annotations?.[REF_NAME] ?? entry.annotations?.["kind"] ?? "";
    const other = byName.get(name);
    if (other && other.digest !== entry.digest) {
      throw new TsignError("input", `save: ${name} is both ${other.digest} and ${entry.digest}`, {
        hint: "run the command again: a tag was moved meanwhile",
      });
    }
    byName.set(name, entry);
  }
  return [...byName.values()];
}

async function writeIndex(io: LayoutIo, path: string, manifests: readonly Descriptor[]): Promise<void> {
  await io.files.replace(`${path}/index.json`, indexText(manifests), { mode: 0o644 });
}

/** Returns the content of `index.json`. */
export function indexText(manifests: readonly Descriptor[]): string {
  const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests };
  return JSON.stringify(index, null, 3);
}
