import { type Attached, findAttached } from "../evidence/find/attached.ts";
import type { Digest } from "../format/digest.ts";
import { inParallel } from "../oci/parallel.ts";
import type { ImageStore } from "../oci/types.ts";
import { imagesBelow } from "./below.ts";

const WORKERS = 4;
/** Most images below one index. */
const MAX_IMAGES = 1000;

/** An image or index, its images, and everything attached to them. */
export interface ImageTree {
  readonly root: Digest;
  readonly attached: readonly Attached[];
}

/**
 * Finds everything that belongs to an image. Copies nothing.
 *
 * @param where.images the image's store, `where.attachments` that of its attachments
 * @throws TsignError "image-not-found"; "limit" for an index with more than 1000 images or nested deeper than eight
 */
export async function findImageTree(
  where: { images: ImageStore; attachments: ImageStore },
  root: Digest,
  options: { tagPrefix: string },
): Promise<ImageTree> {
  const images = await imagesBelow(where.images, { digest: root, descriptor: undefined }, MAX_IMAGES);
  const attached = await inParallel(images, WORKERS, ({ digest }) => findAttached(where.attachments, digest, options));
  return { root, attached: attached.flat() };
}
