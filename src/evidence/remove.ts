import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { mapAhead } from "../oci/parallel.ts";
import { withoutReferrers } from "../oci/registry/fallback-index.ts";
import { fallbackTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore, ListedReferrer, StoredManifest } from "../oci/types.ts";
import { isBundle, isSbom, isSignatureImage, mayBeOurs } from "./kinds.ts";

/** Manifests looked at or deleted at a time. */
const WORKERS = 8;

/** Pauses before another look at what was deleted, in milliseconds: registries may take a moment. */
const PAUSES = [100, 400, 1500];

type RemovalIo = Pick<Io, "sleep" | "signal">;

/**
 * Deletes a tag. A registry that deletes by digest only, or says that what is there is not, is asked so, which takes the
 * digest's other tags along: not done when that digest is the image's own.
 *
 * @returns whether there was anything to delete
 * @throws TsignError also when the tag is still there after the registry said that it was deleted
 */
export async function removeTag(io: RemovalIo, store: ImageStore, tag: string, image: Digest): Promise<boolean> {
  let refusal: TsignError | undefined;
  const target = await there(store, tag, image);
  if (!target) return false;
  for (const identifier of [tag, target.digest]) {
    try {
      await store.delete(identifier);
    } catch (error) {
      refusal ??= refusalOf(error);
    }
    if (await isGone(io, async () => !(await there(store, tag, image)))) return true;
  }
  throw refusal ?? new TsignError("registry", `${store.name}:${tag} is still there after it was deleted`);
}

/** What stands under a tag, unless a registry answers a tag that it has not with the image. */
async function there(store: ImageStore, tag: string, image: Digest): Promise<Descriptor | undefined> {
  const found = await store.resolve(tag);
  return found?.digest === image ? undefined : found;
}

/** The answer of a registry that does not delete; anything else that goes wrong ends the removal. */
function refusalOf(error: unknown): TsignError {
  if (error instanceof TsignError && (error.code === "registry" || error.code === "auth")) return error;
  throw error;
}

async function isGone(io: RemovalIo, look: () => Promise<boolean>): Promise<boolean> {
  for (const pause of PAUSES) {
    if (await look()) return true;
    await io.sleep(pause, io.signal);
  }
  return look();
}

/** What an image's listing of referrers has of one kind: those that are there, and entries of ones that are not. */
export interface Listed {
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
  onUnreadable: (error: TsignError) => void = (error) => {
    throw error;
  },
): Promise<Listed[]> {
  const found: Listed[] = [];
  const look = async (entry: ListedReferrer): Promise<Listed | undefined> => {
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
  for await (const each of mapAhead(store.referrers(image), { limit: WORKERS }, look)) if (each) found.push(each);
  return found;
}

const IS_OF: Readonly<Record<ReferrerKind, (stored: StoredManifest) => boolean>> = {
  signature: (stored) => isBundle(stored) || isSignatureImage(stored),
  sbom: isSbom,
};

/** What became of referrers that were to be removed. */
export interface Removal {
  /** Deleted, or no longer listed where the registry deletes nothing. */
  readonly removed: readonly Digest[];
  /** Those of them that the registry would not delete: they are there, and nothing lists them. */
  readonly kept: readonly Digest[];
  /** What is still listed, and why. */
  readonly failure: TsignError | undefined;
}

/**
 * Deletes an image's referrers of some kinds, and what lists them in a registry without the referrers API, so that no
 * listing points at what is gone. A new look says what is left: a registry may refuse, or say yes and do nothing.
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

/** Deletes some of an image's referrers, and what lists them. */
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
  for await (const _done of mapAhead(listed, { limit: WORKERS }, remove)); // a few at a time
  const wanted = new Set(listed.map(({ digest }) => digest));
  await unlist(io, store, image, wanted);
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
  // An entry whose manifest is gone signs nothing; that a listing still has it is the registry's delay.
  const failed = [...left].filter((digest) => stored.has(digest));
  const removed = listed.filter(({ digest, there }) => there && !failed.includes(digest)).map(({ digest }) => digest);
  const kept = removed.filter((digest) => stored.has(digest));
  const [first] = failed;
  const failure =
    first && (refusal ?? new TsignError("registry", `${store.name}@${first} is still there after it was deleted`));
  return { removed, kept, failure };
}

async function stillListed(store: ImageStore, image: Digest, wanted: ReadonlySet<Digest>): Promise<Set<Digest>> {
  const left = new Set<Digest>();
  for await (const entry of store.referrers(image)) {
    if (!("unreadable" in entry) && wanted.has(entry.digest)) left.add(entry.digest);
  }
  return left;
}

/** Takes entries off the fallback index. One that becomes empty is deleted, or written empty where nothing is deleted. */
async function unlist(io: RemovalIo, store: ImageStore, image: Digest, gone: ReadonlySet<string>): Promise<void> {
  const tag = fallbackTag(image);
  const index = gone.size > 0 ? await indexUnder(store, tag) : undefined;
  const entries = index?.manifest.manifests;
  if (!index || index.descriptor.digest === image || !entries?.some(({ digest }) => gone.has(digest))) return;
  if (entries.every(({ digest }) => gone.has(digest))) {
    try {
      await removeTag(io, store, tag, image);
      return;
    } catch (error) {
      refusalOf(error);
    }
  }
  await store.putManifest(withoutReferrers(index, gone), { mediaType: index.manifest.mediaType, tag });
}

/** A registry with the API may refuse to say what stands under a tag that it has not. */
async function indexUnder(store: ImageStore, tag: string): Promise<StoredManifest | undefined> {
  try {
    return await store.manifest(tag);
  } catch (error) {
    refusalOf(error);
    return undefined;
  }
}
