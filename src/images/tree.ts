import { TsignError } from "../errors.ts";
import { type Attached, findAttached } from "../evidence/find/attached.ts";
import type { Digest } from "../format/digest.ts";
import { inParallel } from "../oci/parallel.ts";
import type { ImageStore } from "../oci/types.ts";

const WORKERS = 4;
const MAX_DEPTH = 8;
/** Most images below one index. */
const MAX_IMAGES = 1000;

/** An image or index, what an index holds, and whatever is attached to each of them. */
export interface ImageTree {
  readonly root: Digest;
  readonly attached: readonly Attached[];
}

/**
 * Finds out what belongs to an image. Nothing is copied yet.
 *
 * @param where.images holds the image, `where.attachments` what is attached to it
 * @throws TsignError "image-not-found"
 */
export async function findImageTree(
  where: { images: ImageStore; attachments: ImageStore },
  root: Digest,
  options: { tagPrefix: string },
): Promise<ImageTree> {
  const digests = await withEverythingBelow(where.images, root);
  const attached = await inParallel(digests, WORKERS, (digest) => findAttached(where.attachments, digest, options));
  return { root, attached: attached.flat() };
}

async function withEverythingBelow(store: ImageStore, root: Digest): Promise<Digest[]> {
  const found = new Set<Digest>();
  const visit = async (digest: Digest, depth: number): Promise<void> => {
    if (found.has(digest)) return;
    found.add(digest);
    if (depth > MAX_DEPTH || found.size > MAX_IMAGES) {
      throw new TsignError(
        "limit",
        `${store.name}@${root} holds more than ${MAX_IMAGES} images or ${MAX_DEPTH} levels`,
      );
    }
    const stored = await store.manifest(digest);
    if (!stored) throw new TsignError("image-not-found", `no such image: ${store.name}@${digest}`);
    for (const child of stored.manifest.manifests ?? []) await visit(child.digest, depth + 1);
  };
  await visit(root, 0);
  return [...found];
}
