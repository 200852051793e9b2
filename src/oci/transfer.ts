import { TsignError } from "../errors.ts";
import { type Digest, parseDigest } from "../format/digest.ts";
import { isKnownType, readManifest } from "./manifest.ts";
import { inParallel } from "./parallel.ts";
import type { Descriptor, ImageStore, StoredManifest, UnlistedReferrers } from "./types.ts";

/** Most blobs on their way at a time. */
const WORKERS = 4;
/** Indexes in indexes; real ones have one level. */
const MAX_DEPTH = 8;
/** Layers that may be fetched from elsewhere only (image spec, "Non-Distributable Layers"): no registry need have them. */
const NOT_DISTRIBUTED = /(\.nondistributable\.|\.foreign\.)/;

export interface Transfer {
  readonly from: ImageStore;
  readonly to: ImageStore;
  /** Looks at every blob, also below a manifest that is there: unlike a registry's, a folder may be half written. */
  readonly thorough?: boolean;
  /** Collects the referrers that are stored and not yet listed: `to.listReferrers` lists them after the last. */
  readonly unlisted?: UnlistedReferrers;
  /** Told before a manifest is stored. */
  readonly onManifest?: (descriptor: Descriptor) => void;
}

/**
 * Copies a manifest, byte for byte, after everything it is made of: blobs, and of an index its children. What the
 * destination has already is not sent again.
 *
 * @param of its digest, or the descriptor that names it, whose type counts where the manifest states none itself
 * @param options.referrer stores it so that its subject's referrers list it
 * @returns the manifest as it was read
 * @throws TsignError "image-not-found" when the source does not have it, or a part of it
 */
export async function transferManifest(
  transfer: Transfer,
  of: Digest | Descriptor,
  options: { referrer: boolean } = { referrer: false },
): Promise<StoredManifest> {
  return transferAt(transfer, typeof of === "string" ? { digest: of, mediaType: "" } : of, { ...options, depth: 0 });
}

async function transferAt(
  transfer: Transfer,
  { digest, mediaType: namedType }: Pick<Descriptor, "digest" | "mediaType">,
  { referrer, depth }: { referrer: boolean; depth: number },
): Promise<StoredManifest> {
  const { from, to } = transfer;
  if (depth > MAX_DEPTH) throw new TsignError("limit", `${from.name} nests indexes deeper than ${MAX_DEPTH} levels`);
  const found = await from.manifest(digest);
  if (!found) throw new TsignError("image-not-found", `${from.name}@${digest} is not there`);
  const stored = typed(found, namedType, `${from.name}@${digest}`);
  const { manifest, descriptor, bytes } = stored;
  requireSha256(from, digest);
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

/**
 * A manifest with its media type: its own, else that of the descriptor that names it, else that of its shape (image spec: the
 * field is optional, and Helm and buildah leave it out).
 */
function typed(stored: StoredManifest, namedType: string, where: string): StoredManifest {
  if (!isKnownType(namedType)) return stored;
  const manifest = readManifest(stored.bytes, { servedType: namedType, where });
  return { ...stored, manifest, descriptor: { ...stored.descriptor, mediaType: manifest.mediaType } };
}

/** Blobs that are at a destination, or on their way: thousands of referrers share one config. */
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

async function sendBlob({ from, to }: Transfer, blob: Descriptor): Promise<void> {
  // Made anew for each attempt, so that an upload that broke off can be sent again.
  const chunks = { [Symbol.asyncIterator]: () => from.blobStream(blob)[Symbol.asyncIterator]() };
  await to.putBlob({ digest: blob.digest, size: blob.size, chunks });
}

/** A manifest is stored under its sha256; a copy under another digest would not be found by those who pinned it. */
function requireSha256(from: ImageStore, digest: Digest): void {
  if (parseDigest(digest).algorithm === "sha256") return;
  throw new TsignError("unsupported", `${from.name}@${digest}: only manifests with a sha256 digest can be copied`);
}
