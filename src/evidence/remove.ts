import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import { mapAhead } from "../oci/parallel.ts";
import { withoutReferrers } from "../oci/registry/fallback-index.ts";
import { fallbackTag } from "../oci/tags.ts";
import type { ImageStore, ListedReferrer, StoredManifest } from "../oci/types.ts";
import { isBundle, isSbom, isSignatureImage, mayBeOurs } from "./kinds.ts";

/** Manifests looked at or deleted at a time. */
const WORKERS = 8;

/**
 * Deletes a tag. A registry that deletes by digest only is asked so, which takes the digest's other tags along: not done
 * when that digest is the image's own.
 *
 * @returns whether there was anything to delete
 */
export async function removeTag(store: ImageStore, tag: string, image: Digest): Promise<boolean> {
  try {
    return await store.delete(tag);
  } catch (error) {
    if (!(error instanceof TsignError) || error.code !== "registry") throw error;
    const target = await store.resolve(tag);
    if (!target) return false;
    if (target.digest === image) throw error;
    return store.delete(target.digest);
  }
}

/** What an image's listing of referrers has of one kind: those that are there, and entries of ones that are not. */
interface Listed {
  readonly digest: Digest;
  readonly there: boolean;
}

/** Signatures and attestations in a form tsign knows, or SBOMs that `attach sbom` stored. */
export type ReferrerKind = "signature" | "sbom";

/**
 * The referrers of an image that are of a kind, and listed ones that are gone. A fallback index may be anyone's: what it
 * lists counts only if its own `subject` is the image.
 */
export async function findReferrersOf(
  store: ImageStore,
  image: Digest,
  kinds: readonly ReferrerKind[],
): Promise<Listed[]> {
  const found: Listed[] = [];
  const look = async (entry: ListedReferrer): Promise<Listed | undefined> => {
    if ("unreadable" in entry) throw new TsignError("registry", `${store.name}@${image}: ${entry.unreadable}`);
    if (!mayBeOurs(entry)) return undefined;
    const { digest } = entry;
    const stored = await store.manifest(digest);
    if (!stored) return { digest, there: false };
    const isOurs = stored.manifest.subject?.digest === image && kinds.some((kind) => IS_OF[kind](stored));
    return isOurs ? { digest, there: true } : undefined;
  };
  for await (const each of mapAhead(store.referrers(image), { limit: WORKERS }, look)) if (each) found.push(each);
  return found;
}

const IS_OF: Readonly<Record<ReferrerKind, (stored: StoredManifest) => boolean>> = {
  signature: (stored) => isBundle(stored) || isSignatureImage(stored),
  sbom: isSbom,
};

/**
 * Deletes an image's referrers of some kinds, and what lists them in a registry without the referrers API, so that no
 * listing points at what is gone.
 *
 * @returns digests of the deleted manifests
 */
export async function removeReferrersOf(
  store: ImageStore,
  image: Digest,
  kinds: readonly ReferrerKind[],
): Promise<Digest[]> {
  const removed: Digest[] = [];
  const gone = new Set<string>();
  try {
    for (const { digest, there } of await findReferrersOf(store, image, kinds)) {
      if (there && (await store.delete(digest))) removed.push(digest);
      gone.add(digest);
    }
  } finally {
    await unlist(store, image, gone); // what could be deleted is not listed, even when the rest could not
  }
  return removed;
}

/** Deletes some of an image's referrers, and what lists them. */
export async function removeListed(store: ImageStore, image: Digest, digests: readonly Digest[]): Promise<void> {
  const gone = new Set<string>();
  try {
    for (const digest of digests) {
      await store.delete(digest);
      gone.add(digest);
    }
  } finally {
    await unlist(store, image, gone);
  }
}

async function unlist(store: ImageStore, image: Digest, gone: ReadonlySet<string>): Promise<void> {
  const tag = fallbackTag(image);
  const index = gone.size > 0 ? await store.manifest(tag) : undefined;
  const entries = index?.manifest.manifests;
  if (!index || !entries?.some(({ digest }) => gone.has(digest))) return;
  if (entries.every(({ digest }) => gone.has(digest))) await removeTag(store, tag, image);
  else await store.putManifest(withoutReferrers(index, gone), { mediaType: index.manifest.mediaType, tag });
}
