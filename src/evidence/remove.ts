import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { mapAhead } from "../oci/parallel.ts";
import type { Descriptor, ImageStore, ListedReferrer, StoredManifest } from "../oci/types.ts";
import { isGone, refusalOf } from "./gone.ts";
import { isBundle, isSbom, isSignatureImage, mayBeOurs } from "./kinds.ts";
import { withdrawReferrers } from "./withdraw.ts";

/** Most concurrent requests. */
const WORKERS = 8;

type RemovalIo = Pick<Io, "sleep" | "now" | "signal">;

/**
 * Deletes a tag, by its digest if the registry does not delete by tag; that also deletes other tags of the digest. A tag that
 * resolves to the image itself is not deleted.
 *
 * @returns whether there was a tag to delete
 * @throws TsignError "registry" also if the tag still exists after a successful delete
 */
export async function removeTag(
  io: Pick<Io, "sleep" | "signal">,
  store: ImageStore,
  tag: string,
  image: Digest,
): Promise<boolean> {
  let refusal: TsignError | undefined;
  const target = await tagTarget(store, tag, image);
  if (!target) return false;
  for (const identifier of [tag, target.digest]) {
    try {
      await store.delete(identifier);
    } catch (error) {
      refusal ??= refusalOf(error);
    }
    if (await isGone(io, async () => !(await tagTarget(store, tag, image)))) return true;
  }
  throw refusal ?? new TsignError("registry", `delete ${store.name}:${tag}: the tag still exists`);
}

/** The descriptor of a tag; undefined for the image itself, which some registries return for a missing tag. */
async function tagTarget(store: ImageStore, tag: string, image: Digest): Promise<Descriptor | undefined> {
  const found = await store.resolve(tag);
  return found?.digest === image ? undefined : found;
}

/** A listed referrer, and whether its manifest exists. */
export interface Listed {
  readonly digest: Digest;
  readonly there: boolean;
}

/** Kinds of referrers to remove: "signature" includes attestations; "sbom" is what `attach sbom` stores. */
export type ReferrerKind = "signature" | "sbom";

/**
 * Lists an image's referrers of some kinds, including ones whose manifest is missing. Anyone can write a fallback index, so a
 * referrer counts only if its `subject` is the image.
 */
export async function findReferrersOf(
  store: ImageStore,
  image: Digest,
  kinds: readonly ReferrerKind[],
  onUnreadable: (error: TsignError) => void = (error) => {
    throw error;
  },
): Promise<Listed[]> {
  const found: Listed[] = [];
  const inspect = async (entry: ListedReferrer): Promise<Listed | undefined> => {
    if ("unreadable" in entry) {
      onUnreadable(new TsignError("registry", `${store.name}@${image}: ${entry.unreadable}`));
      return undefined;
    }
    if (!mayBeOurs(entry)) return undefined;
    const { digest } = entry;
    const stored = await store.manifest(digest);
    if (!stored) return { digest, there: false };
    const isOurs = stored.manifest.subject?.digest === image && kinds.some((kind) => IS_OF[kind](stored));
    return isOurs ? { digest, there: true } : undefined;
  };
  for await (const each of mapAhead(store.referrers(image), { limit: WORKERS }, inspect)) if (each) found.push(each);
  return found;
}

const IS_OF: Readonly<Record<ReferrerKind, (stored: StoredManifest) => boolean>> = {
  signature: (stored) => isBundle(stored) || isSignatureImage(stored),
  sbom: isSbom,
};

/** The result of removing referrers. */
export interface Removal {
  /** Deleted, or no longer listed if the registry does not delete. */
  readonly removed: readonly Digest[];
  /** Those of them that the registry refused to delete: they exist, but are not listed. */
  readonly kept: readonly Digest[];
  /** The error for those that are still listed. */
  readonly failure: TsignError | undefined;
}

/**
 * Deletes an image's referrers of some kinds, and their entries in the fallback index of a registry without the referrers API. The
 * result is checked by listing again, because a registry may report success without deleting.
 */
export async function removeReferrersOf(
  io: RemovalIo,
  store: ImageStore,
  image: Digest,
  kinds: readonly ReferrerKind[],
): Promise<Removal> {
  let unreadable: TsignError | undefined;
  const listed = await findReferrersOf(store, image, kinds, (error) => {
    unreadable ??= error;
  });
  const removal = await removeListed(io, store, image, listed);
  return { ...removal, failure: removal.failure ?? unreadable };
}

/** Deletes some of an image's referrers, and their entries in the fallback index. */
export async function removeListed(
  io: RemovalIo,
  store: ImageStore,
  image: Digest,
  listed: readonly Listed[],
): Promise<Removal> {
  if (listed.length === 0) return { removed: [], kept: [], failure: undefined };
  let refusal: TsignError | undefined;
  const remove = async ({ digest, there }: Listed) => {
    if (!there) return;
    try {
      await store.delete(digest);
    } catch (error) {
      refusal ??= refusalOf(error);
    }
  };
  for await (const _done of mapAhead(listed, { limit: WORKERS }, remove)); // limits concurrent requests
  const wanted = new Set(listed.map(({ digest }) => digest));
  await withdrawReferrers(io, store, { subject: image, gone: wanted, mayRefuse: true });
  let left = new Set<Digest>();
  const stored = new Set<Digest>();
  await isGone(io, async () => {
    left = await stillListed(store, image, wanted);
    return left.size === 0;
  });
  const present = async ({ digest, there }: Listed) => {
    if (there && (await store.resolve(digest))) stored.add(digest);
  };
  for await (const _done of mapAhead(listed, { limit: WORKERS }, present));
  // A listed entry without a manifest is not a failure: registries may update the list late.
  const failed = [...left].filter((digest) => stored.has(digest));
  const removed = listed.filter(({ digest, there }) => there && !failed.includes(digest)).map(({ digest }) => digest);
  const kept = removed.filter((digest) => stored.has(digest));
  const [first] = failed;
  const failure =
    first && (refusal ?? new TsignError("registry", `delete ${store.name}@${first}: the referrer still exists`));
  return { removed, kept, failure };
}

async function stillListed(store: ImageStore, image: Digest, wanted: ReadonlySet<Digest>): Promise<Set<Digest>> {
  const left = new Set<Digest>();
  for await (const entry of store.referrers(image)) {
    if (!("unreadable" in entry) && wanted.has(entry.digest)) left.add(entry.digest);
  }
  return left;
}
