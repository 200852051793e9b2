import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";

/** Deepest nesting of indexes. */
const MAX_DEPTH = 8;

/** The error of an image that is not there. @param name its reference */
export function noSuchImage(name: string): TsignError {
  return new TsignError("image-not-found", `no such image: ${name}`);
}

/**
 * An image, and if it is an index every image below it, from the top down, each once.
 *
 * @param root what to start from, with its descriptor where it is known
 * @param maxImages most that may be below it
 * @throws TsignError "limit" for more of them, or for indexes nested deeper than eight; "image-not-found" for one that is
 * not there
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
      const bound = depth > MAX_DEPTH ? `indexes nested deeper than ${MAX_DEPTH}` : `more than ${maxImages} images`;
      throw new TsignError("limit", `${store.name}@${root.digest} holds ${bound}`);
    }
    found.set(digest, descriptor);
    const stored = await store.manifest(digest);
    if (!stored) throw noSuchImage(`${store.name}@${digest}`);
    for (const child of stored.manifest.manifests ?? []) await visit(child.digest, child, depth + 1);
  };
  await visit(root.digest, root.descriptor, 0);
  return [...found].map(([digest, descriptor]) => ({ digest, descriptor }));
}
