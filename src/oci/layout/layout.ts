import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, isDigest, parseDigest } from "../../format/digest.ts";
import { isObject, parseJson } from "../../format/json.ts";
import type { Io } from "../../io.ts";
import { readManifest } from "../manifest.ts";
import { checked } from "../registry/blobs.ts";
import { fallbackTag } from "../tags.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../types.ts";

const MAX_MANIFEST = 4 * 1024 * 1024;
/** Most blobs looked at when searching for referrers. */
const MAX_SCANNED = 10_000;
const KIND = "dev.cosignproject.cosign/";
const REF_NAME = "org.opencontainers.image.ref.name";
const OCTETS = "application/octet-stream";

/** An OCI layout on disk (OCI image spec, image-layout.md), as `save` writes it. */
export interface LayoutStore extends ImageStore {
  /** The image the layout was saved for. */
  image(): Promise<Descriptor>;
}

type LayoutIo = Pick<Io, "files">;

/**
 * Opens the layout in a folder. Of what `save` writes, the legacy signatures are an entry of index.json marked
 * `kind: …/sigs`; bundles are blobs whose `subject` is the image.
 *
 * @throws TsignError "input" when the folder is no layout
 */
export async function openLayout(io: LayoutIo, path: string): Promise<LayoutStore> {
  const entries = await readIndex(io, path);
  const place = (digest: Digest) => blobPath(path, digest);
  const store: LayoutStore = {
    name: path,
    image: async () => imageOf(entries, path),
    async resolve(identifier) {
      if (!isDigest(identifier)) return entryFor(entries, identifier);
      return (await readStored(io, path, identifier))?.descriptor;
    },
    async manifest(identifier) {
      const digest = isDigest(identifier) ? identifier : entryFor(entries, identifier)?.digest;
      return digest && readStored(io, path, digest);
    },
    async blob(descriptor, { maxBytes }) {
      if (descriptor.size > maxBytes) {
        throw new TsignError(
          "limit",
          `${path}@${descriptor.digest} has ${descriptor.size} bytes, more than ${maxBytes}`,
        );
      }
      const pieces: Uint8Array[] = [];
      for await (const piece of store.blobStream(descriptor)) pieces.push(new Uint8Array(piece));
      return Buffer.concat(pieces);
    },
    blobStream: (descriptor) =>
      checked(io.files.chunks(place(descriptor.digest)), descriptor, `${path}@${descriptor.digest}`),
    referrers: (subject) => scanReferrers(io, path, subject),
    tags: async () => entries.flatMap(({ annotations }) => annotations?.[REF_NAME] ?? []),
    async putBlob(content) {
      if (!(content instanceof Uint8Array)) throw new TsignError("internal", "a layout stores whole blobs only");
      const digest = digestOf(content);
      await writeBlob(io, { path, digest, content });
      return { mediaType: OCTETS, digest, size: content.length };
    },
    async putManifest(bytes, { mediaType, tag }) {
      const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
      await writeBlob(io, { path, digest: descriptor.digest, content: bytes });
      if (tag !== undefined) await writeIndex(io, path, withTag(entries, descriptor, tag));
      return descriptor;
    },
    putReferrer: (bytes, options) => store.putManifest(bytes, options),
    async delete(identifier) {
      const kept = entries.filter((each) => each !== entryFor(entries, identifier) && each.digest !== identifier);
      if (kept.length === entries.length) return false;
      entries.splice(0, entries.length, ...kept);
      await writeIndex(io, path, entries);
      return true;
    },
  };
  return store;
}

async function readIndex(io: LayoutIo, path: string): Promise<Descriptor[]> {
  const notLayout = (reason: string) => new TsignError("input", `${path} is not a saved image: ${reason}`);
  const file = `${path}/index.json`;
  if (!(await io.files.stat(file))) throw notLayout("it has no index.json");
  const bytes = await io.files.read(file, { maxBytes: MAX_MANIFEST });
  if (!(await io.files.stat(`${path}/oci-layout`))) throw notLayout("it has no oci-layout file");
  try {
    const index = readManifest(bytes, { servedType: "application/vnd.oci.image.index.v1+json", where: file });
    return [...(index.manifests ?? [])];
  } catch (cause) {
    throw new TsignError("input", cause instanceof TsignError ? cause.message : `cannot read ${file}`, { cause });
  }
}

/** The entry marked as the image; without marks, the only one. */
function imageOf(entries: readonly Descriptor[], path: string): Descriptor {
  const marked = entries.find(({ annotations }) => /image(Index)?$/.test(kindOf(annotations)));
  const [only, ...others] = entries;
  const image = marked ?? (others.length === 0 ? only : undefined);
  if (!image) throw new TsignError("input", `${path}/index.json does not say which of its entries is the image`);
  return image;
}

function kindOf(annotations: Descriptor["annotations"]): string {
  const kind = annotations?.["kind"] ?? "";
  return kind.startsWith(KIND) ? kind.slice(KIND.length) : "";
}

/** A tag: an entry of that name, or the entry that stands for the image's `.sig` or `.att` tag. */
function entryFor(entries: readonly Descriptor[], tag: string): Descriptor | undefined {
  const named = entries.find(({ annotations }) => annotations?.[REF_NAME] === tag);
  if (named) return named;
  const image = entries.find(({ annotations }) => /^image(Index)?$/.test(kindOf(annotations)));
  const suffix = { ".sig": "sigs", ".att": "atts" }[tag.slice(-4)];
  if (!image || !suffix || !tag.startsWith(fallbackTag(image.digest))) return undefined;
  return entries.find(({ annotations }) => kindOf(annotations) === suffix);
}

async function readStored(io: LayoutIo, path: string, digest: Digest): Promise<StoredManifest | undefined> {
  const file = blobPath(path, digest);
  if (!(await io.files.stat(file))) return undefined;
  const bytes = await io.files.read(file, { maxBytes: MAX_MANIFEST });
  const where = `${path}@${digest}`;
  const { algorithm } = parseDigest(digest);
  if (digestOf(bytes, algorithm) !== digest) throw new TsignError("registry", `${where} has another content`);
  const manifest = readManifest(bytes, { servedType: "", where });
  return { descriptor: { mediaType: manifest.mediaType, digest, size: bytes.length }, bytes, manifest };
}

/** The blobs that are manifests with this subject; larger files and those that are no manifest are passed over. */
async function scanReferrers(io: LayoutIo, path: string, subject: Digest): Promise<Descriptor[]> {
  const names = (await io.files.list(`${path}/blobs/sha256`)).filter((name) => isDigest(`sha256:${name}`));
  if (names.length > MAX_SCANNED) throw new TsignError("limit", `${path} has more than ${MAX_SCANNED} blobs`);
  const found: Descriptor[] = [];
  for (const name of names) {
    const file = `${path}/blobs/sha256/${name}`;
    const size = (await io.files.stat(file))?.size ?? 0;
    if (size === 0 || size > MAX_MANIFEST) continue;
    const bytes = await io.files.read(file, { maxBytes: MAX_MANIFEST });
    if (bytes[0] !== 0x7b || !refersTo(bytes, subject)) continue;
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as const;
    found.push({ mediaType: OCTETS, digest, size });
  }
  return found;
}

function refersTo(bytes: Uint8Array, subject: Digest): boolean {
  try {
    const value = parseJson(bytes, "a blob");
    return isObject(value) && isObject(value["subject"]) && value["subject"]["digest"] === subject;
  } catch {
    return false; // some other file that starts with a brace
  }
}

function blobPath(path: string, digest: Digest): string {
  const { algorithm, hex } = parseDigest(digest);
  return `${path}/blobs/${algorithm}/${hex}`;
}

async function writeBlob(io: LayoutIo, blob: { path: string; digest: Digest; content: Uint8Array }): Promise<void> {
  await io.files.makeDirectory(`${blob.path}/blobs/${parseDigest(blob.digest).algorithm}`);
  await io.files.write(blobPath(blob.path, blob.digest), blob.content, { mode: 0o644 });
}

function withTag(entries: Descriptor[], descriptor: Descriptor, tag: string): readonly Descriptor[] {
  const kept = entries.filter(({ annotations }) => annotations?.[REF_NAME] !== tag);
  entries.splice(0, entries.length, ...kept, { ...descriptor, annotations: { [REF_NAME]: tag } });
  return entries;
}

async function writeIndex(io: LayoutIo, path: string, manifests: readonly Descriptor[]): Promise<void> {
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests };
  await io.files.write(`${path}/index.json`, JSON.stringify(index, null, 3), { mode: 0o644 });
}
