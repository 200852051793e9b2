import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";

/** Deepest nesting of indexes. */
const MAX_DEPTH = 8;

/** The "image-not-found" error. @param name the image's reference */
export function noSuchImage(name: string): TsignError {
  return new TsignError("image-not-found", `no such image: ${name}`);
}

/**
 * An image and, for an index, all images in it, from the top down, each digest once.
 *
 * @param root the image to start from, with its descriptor if known
 * @param maxImages most images below it
 * @throws TsignError "limit" for more images, or indexes nested deeper than eight; "image-not-found" for a missing image
 */
export async function imagesBelow(
  store: ImageStore,
  root: { readonly digest: Digest; readonly descriptor: Descriptor | undefined },
  maxImages: number,
): Promise<{ digest: Digest; descriptor: Descriptor | undefined }[]> {
  const found = new Map<Digest, Descriptor | undefined>();
  const visit = async (digest: Digest, descriptor: Descriptor | undefined, depth: number): Promise<void> => {
    if (found.has(digest)) return;
    if (depth > MAX_DEPTH || found.size > maxImages) {
      const limit = depth > MAX_DEPTH ? `indexes nested deeper than ${MAX_DEPTH}` : `more than ${maxImages} images`;
      throw new TsignError("limit", `${store.name}@${root.digest} contains ${limit}`);
    }
    found.set(digest, descriptor);
    const stored = await store.manifest(digest);
    if (!stored) throw noSuchImage(`${store.name}@${digest}`);
    for (const child of stored.manifest.manifests ?? []) await visit(child.digest, child, depth + 1);
  };
  await visit(root.digest, root.descriptor, 0);
  return [...found].map(([digest, descriptor]) => ({ digest, descriptor }));
}
