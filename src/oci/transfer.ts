import { TsignError } from "../errors.ts";
import { type Digest, parseDigest } from "../format/digest.ts";
import { isKnownType, readManifest } from "./manifest.ts";
import { inParallel } from "./parallel.ts";
import type { Descriptor, ImageStore, StoredManifest, UnlistedReferrers } from "./types.ts";

/** Most blobs copied at a time. */
const WORKERS = 4;
/** Size of the smallest blob that is sent as a file, without passing through this program, in bytes. */
const MIN_FILE = 256 * 1024;
/** Most levels of nested indexes; real images have one. */
const MAX_DEPTH = 8;
/** Media types of layers that registries need not have (OCI image spec, "Non-Distributable Layers"). */
export const NOT_DISTRIBUTED = /(\.nondistributable\.|\.foreign\.)/;

export interface Transfer {
  readonly from: ImageStore;
  readonly to: ImageStore;
  /** Checks every blob, even when the manifest is already there: a folder, unlike a registry, may be incomplete. */
  readonly thorough?: boolean;
  /** Collects stored referrers that are not yet listed; call `to.listReferrers` with it at the end. */
  readonly unlisted?: UnlistedReferrers;
  /** Called before a manifest is stored. */
  readonly onManifest?: (descriptor: Descriptor) => void;
  /** Passes on the pieces of a blob that is sent, to show how far it is. */
  readonly watch?: ((blob: Descriptor, pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) | undefined;
}

/**
 * Copies a manifest, byte for byte, after its blobs and, for an index, its child manifests. Content that the destination
 * already has is not sent again.
 *
 * @param source its digest, or a descriptor, whose media type is used when the manifest has none
 * @param options.referrer stores it so that its subject's referrers list it
 * @returns the manifest as it was read
 * @throws TsignError "image-not-found" when the source lacks the manifest or a child
 */
export async function transferManifest(
  transfer: Transfer,
  source: Digest | Descriptor,
  options: { referrer: boolean } = { referrer: false },
): Promise<StoredManifest> {
  return transferAt(transfer, typeof source === "string" ? { digest: source, mediaType: "" } : source, {
    ...options,
    depth: 0,
  });
}

async function transferAt(
  transfer: Transfer,
  { digest, mediaType: namedType }: Pick<Descriptor, "digest" | "mediaType">,
  { referrer, depth }: { referrer: boolean; depth: number },
): Promise<StoredManifest> {
  const { from, to } = transfer;
  const stored = await readTyped(from, { digest, mediaType: namedType, depth });
  const { manifest, descriptor, bytes } = stored;
  if (!referrer && !transfer.thorough && (await to.resolve(digest))) return stored;
  const { config, layers, manifests = [] } = manifest;
  for (const child of manifests) await transferAt(transfer, child, { referrer: false, depth: depth + 1 });
  const blobs = new Map([...(config ? [config] : []), ...layers].map((each) => [each.digest, each]));
  await inParallel([...blobs.values()], WORKERS, (blob) => transferBlob(transfer, blob));
  transfer.onManifest?.(descriptor);
  const { mediaType } = descriptor;
  const { unlisted } = transfer;
  const later = unlisted ? { later: unlisted } : {};
  await (referrer ? to.putReferrer(bytes, { mediaType, ...later }) : to.putManifest(bytes, { mediaType }));
  return stored;
}

/** A piece of an image's content, in the order in which it can be stored: blobs and children before their manifest. */
export type Content =
  | { readonly blob: Descriptor; readonly of: StoredManifest }
  | { readonly manifest: StoredManifest };

/**
 * Lists the content of a manifest: what `transferManifest` copies.
 *
 * @throws TsignError "image-not-found" when the source lacks the manifest or a child; "limit", "unsupported"
 */
export async function* contentOf(
  from: ImageStore,
  { digest, mediaType }: Pick<Descriptor, "digest" | "mediaType">,
  depth = 0,
): AsyncGenerator<Content, StoredManifest, undefined> {
  const stored = await readTyped(from, { digest, mediaType, depth });
  const { config, layers, manifests = [] } = stored.manifest;
  for (const child of manifests) yield* contentOf(from, child, depth + 1);
  for (const blob of [...(config ? [config] : []), ...layers]) {
    if (!NOT_DISTRIBUTED.test(blob.mediaType)) yield { blob, of: stored };
  }
  yield { manifest: stored };
  return stored;
}

/** Reads a manifest to copy, with its media type. */
async function readTyped(
  from: ImageStore,
  { digest, mediaType, depth }: Pick<Descriptor, "digest" | "mediaType"> & { depth: number },
): Promise<StoredManifest> {
  if (depth > MAX_DEPTH)
    throw new TsignError("limit", `copy ${from.name}@${digest}: indexes are nested deeper than ${MAX_DEPTH} levels`);
  const found = await from.manifest(digest);
  if (!found) throw new TsignError("image-not-found", `copy ${from.name}@${digest}: manifest not found`);
  requireSha256(from, digest);
  return typed(found, mediaType, `${from.name}@${digest}`);
}

/**
 * Returns the manifest with its media type: its own, else the descriptor's, else the one its fields suggest. The field is
 * optional in the image spec, and Helm and buildah omit it.
 */
function typed(stored: StoredManifest, namedType: string, where: string): StoredManifest {
  if (!isKnownType(namedType)) return stored;
  const manifest = readManifest(stored.bytes, { servedType: namedType, where });
  return { ...stored, manifest, descriptor: { ...stored.descriptor, mediaType: manifest.mediaType } };
}

/** Blobs that a destination has or is receiving: thousands of referrers share one config. */
const sent = new WeakMap<ImageStore, Map<Digest, Promise<void>>>();

async function transferBlob(transfer: Transfer, blob: Descriptor): Promise<void> {
  if (NOT_DISTRIBUTED.test(blob.mediaType)) return;
  const known = sent.get(transfer.to) ?? new Map<Digest, Promise<void>>();
  sent.set(transfer.to, known);
  const sending = known.get(blob.digest) ?? sendBlob(transfer, blob);
  known.set(blob.digest, sending);
  try {
    await sending;
  } catch (error) {
    known.delete(blob.digest);
    throw error;
  }
}

async function sendBlob({ from, to, watch }: Transfer, blob: Descriptor): Promise<void> {
  const read = () => (watch ? watch(blob, from.blobStream(blob)) : from.blobStream(blob));
  // A new stream for each attempt, so that an interrupted upload can be retried.
  const chunks = { [Symbol.asyncIterator]: () => read()[Symbol.asyncIterator]() };
  const file = watch || blob.size < MIN_FILE ? undefined : from.blobFile?.(blob);
  await to.putBlob({ digest: blob.digest, size: blob.size, chunks, isChecked: true, file, from: from.repository });
}

/** Refuses other digests than sha256: the copy would be stored under its sha256, where a sha512 reference does not find it. */
function requireSha256(from: ImageStore, digest: Digest): void {
  if (parseDigest(digest).algorithm === "sha256") return;
  throw new TsignError("unsupported", `copy ${from.name}@${digest}: only sha256 digests are supported`);
}
