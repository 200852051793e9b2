import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import { mapAhead } from "../oci/parallel.ts";
import { attachmentTag, fallbackTag } from "../oci/tags.ts";
import type { ImageStore } from "../oci/types.ts";
import type { ImageTarget } from "./open.ts";

/** Most concurrent requests. */
const WORKERS = 8;

/**
 * Finds what needs the manifests besides the image they are attached to: tags, indexes under tags, the image's own index, and manifests
 * that refer to them.
 *
 * @param manifests of an image's signatures; that of legacy signatures may have its own tag
 * @returns the reason for each manifest that is needed
 * @throws TsignError if the repository's tags or a list of referrers cannot be read: something there may need a manifest
 */
export async function protectedManifests(
  target: Pick<ImageTarget, "store" | "attachments" | "digest">,
  manifests: readonly Digest[],
): Promise<Map<Digest, string>> {
  const { attachments: store, digest } = target;
  const wanted = new Set(manifests);
  const reasons = new Map<Digest, string>();
  const need = (each: Digest, reason: string) => wanted.has(each) && reasons.set(each, reason);
  const image = await target.store.manifest(digest);
  for (const child of image?.manifest.manifests ?? []) need(child.digest, "the image's index contains it");
  const own = fallbackTag(digest);
  const inspect = async (tag: string) => ({ tag, stored: await store.manifest(tag) });
  const tags = (await listTags(store, digest)).filter((tag) => tag !== own && !isAttachmentOf(tag, own));
  for await (const { tag, stored } of mapAhead(tags, { limit: WORKERS }, inspect)) {
    if (!stored) continue;
    need(stored.descriptor.digest, `the tag ${tag} points to it`);
    for (const child of stored.manifest.manifests ?? []) need(child.digest, `the index ${tag} contains it`);
  }
  const referred = async (each: Digest) => ({ each, by: await firstReferrer(store, each) });
  for await (const { each, by } of mapAhead([...wanted], { limit: WORKERS }, referred)) {
    if (by) need(each, `${by} refers to it`);
  }
  return reasons;
}

/** Whether a tag is the image's own `.sig`, `.att` or `.sbom`, with any prefix. Removing layers there moves the tag itself. */
function isAttachmentOf(tag: string, own: string): boolean {
  return [".sig", ".att", ".sbom"].some((ending) => tag.endsWith(`${own}${ending}`));
}

async function listTags(store: ImageStore, subject: Digest): Promise<string[]> {
  const purpose = `check what the tags of ${store.name} need`;
  let tags: string[];
  try {
    tags = await store.tags();
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "cancelled") throw error;
    throw new TsignError(error.code, `${purpose}: ${error.message}`, { cause: error });
  }
  if (tags.length > 0) return tags;
  // Some registries return an empty list in place of a refusal.
  for (const tag of [fallbackTag(subject), attachmentTag(subject, "sig")]) {
    const found = await store.resolve(tag);
    if (!found || found.digest === subject) continue;
    throw new TsignError("registry", `${purpose}: the registry lists no tags, but has ${tag}`);
  }
  return [];
}

async function firstReferrer(store: ImageStore, digest: Digest): Promise<Digest | undefined> {
  for await (const entry of store.referrers(digest)) {
    if ("unreadable" in entry) throw new TsignError("registry", `${store.name}@${digest}: ${entry.unreadable}`);
    if ((await store.manifest(entry.digest))?.manifest.subject?.digest === digest) return entry.digest;
  }
  return undefined;
}
