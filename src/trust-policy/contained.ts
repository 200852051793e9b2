import { TsignError } from "../errors.ts";
import { type Digest, digestOf, parseDigest } from "../format/digest.ts";
import { noSuchImage } from "../images/below.ts";
import type { ImageTarget } from "../images/open.ts";
import { isIndexType, isKnownType } from "../oci/manifest.ts";
import type { Denied } from "./model.ts";

type Algorithm = ReturnType<typeof parseDigest>["algorithm"];

/** Deepest nesting of indexes, and most images in them. */
const [MAX_DEPTH, MAX_IMAGES] = [8, 10_000];

/**
 * The digests to compare with denied ones: the image's and, for an index, those of all images in it, which run under its name; each
 * also with the other hashes of denied digests, by which an image may be named as well.
 *
 * @throws TsignError "limit" for more than 10,000 images, or indexes nested deeper than eight; "image-not-found" if a manifest is
 * missing whose digests must be known
 */
export async function containedDigests(
  { store, digest, name }: Pick<ImageTarget, "store" | "digest" | "name">,
  denied: Denied,
): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>([digest]);
  /** Those whose manifests were read: an index may be listed twice, the first time as an image. */
  const read = new Set<Digest>();
  if (denied.digests.length === 0) return found;
  const hashes = new Set(denied.digests.map((each) => parseDigest(each.digest).algorithm));
  const visit = async (each: Digest, isRead: boolean, depth: number): Promise<void> => {
    found.add(each);
    const others = otherHashes(each, hashes);
    if (!isRead && others.length === 0) return;
    read.add(each);
    const stored = await store.manifest(each);
    if (stored === undefined) throw noSuchImage(each === digest ? name : `${store.name}@${each}`);
    for (const hash of others) found.add(digestOf(stored.bytes, hash));
    const children = stored.manifest.manifests ?? [];
    if (children.length > 0 && (depth >= MAX_DEPTH || found.size + children.length > MAX_IMAGES)) {
      throw new TsignError("limit", `compare ${name} with denied digests: it contains too many images`);
    }
    for (const child of children) {
      const isIndex = mayBeIndex(child.mediaType);
      if (!(isIndex ? read : found).has(child.digest)) await visit(child.digest, isIndex, depth + 1);
    }
  };
  await visit(digest, true, 0);
  return found;
}

const mayBeIndex = (mediaType: string) => isIndexType(mediaType) || !isKnownType(mediaType);

function otherHashes(digest: Digest, hashes: ReadonlySet<Algorithm>): Algorithm[] {
  const { algorithm } = parseDigest(digest);
  return [...hashes].filter((hash) => hash !== algorithm);
}
