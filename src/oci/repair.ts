import { isDeepStrictEqual } from "node:util";
import { TsignError } from "../errors.ts";
import { type Digest, isDigest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { appendToTag, contentChanged } from "./append.ts";
import { INDEX_TYPE } from "./manifest.ts";
import { mapAhead } from "./parallel.ts";
import { indexBytes, referrerDescriptor } from "./registry/fallback-index.ts";
import { fallbackTag } from "./tags.ts";
import type { Descriptor, ImageStore, StoredManifest } from "./types.ts";

/** Most concurrent requests. */
const WORKERS = 8;

/** What is wrong with an entry of a fallback index or with a list of referrers; "foreign" and "unreadable" entries stay as they are. */
type Problem = "stale" | "wrong" | "duplicate" | "missing" | "unlisted" | "foreign" | "unreadable";

/** A finding about one referrer of an image. */
export interface Finding {
  readonly problem: Problem;
  readonly digest: Digest;
  readonly reason: string;
}

/** A fallback index as it is, and as it should be (distribution spec, "Referrers Tag Schema"). */
interface CheckedIndex {
  readonly findings: readonly Finding[];
  readonly entries: readonly Descriptor[];
}

/** The findings about an image's referrers. */
interface RepairPlan {
  readonly findings: readonly Finding[];
}

/**
 * Compares the fallback index of an image and the list of the referrers API with the manifests that refer to it: those in the index,
 * under tags of the repository, and the given ones.
 *
 * @param also digests of manifests that may refer to the image
 * @param onUnlistable called with the error if the repository's tags cannot be listed
 * @throws TsignError the registry's errors
 */
export async function planRepair(
  store: ImageStore,
  subject: Digest,
  { also, onUnlistable }: { also: readonly Digest[]; onUnlistable: (error: TsignError) => void },
): Promise<RepairPlan> {
  const index = await fallbackIndex(store, subject);
  const { findings, entries } = await checkIndex(store, subject, index);
  const byApi = await store.referrersByApi?.(subject);
  const indexed = new Set(entries.map(({ digest }) => digest));
  const more: Finding[] = [];
  if (byApi) {
    for (const digest of referring(entries, findings)) {
      if (!byApi.has(digest)) more.push({ problem: "unlisted", digest, reason: "the referrers API does not list it" });
    }
  }
  const known = byApi ?? new Set<Digest>();
  for await (const { digest, source } of candidates(store, subject, { also, onUnlistable })) {
    if (indexed.has(digest) || known.has(digest) || more.some((each) => each.digest === digest)) continue;
    more.push({ problem: "missing", digest, reason: `${source} refers to the image, and no list contains it` });
  }
  return { findings: [...findings, ...more] };
}

/** The entries of an index that refer to the image. */
function referring(entries: readonly Descriptor[], findings: readonly Finding[]): Digest[] {
  const others = new Set(
    findings.flatMap(({ problem, digest }) => (problem === "foreign" || problem === "unreadable" ? [digest] : [])),
  );
  return entries.map(({ digest }) => digest).filter((digest) => !others.has(digest));
}

/** The index under the fallback tag; some registries return the image itself for this tag. */
async function fallbackIndex(store: ImageStore, subject: Digest): Promise<StoredManifest | undefined> {
  const index = await store.manifest(fallbackTag(subject));
  if (!index || index.descriptor.digest === subject) return undefined;
  if (index.manifest.manifests) return index;
  const actual = index.descriptor.digest;
  throw new TsignError(
    "registry",
    `read referrers index ${store.name}:${fallbackTag(subject)}: the tag points to ${actual}, which is not an index`,
  );
}

/** Compares each entry of an index with its manifest. */
async function checkIndex(
  store: ImageStore,
  subject: Digest,
  index: StoredManifest | undefined,
): Promise<CheckedIndex> {
  const findings: Finding[] = [];
  const entries: Descriptor[] = [];
  const ours = new Map<Digest, number>(); // positions
  const check = (entry: Descriptor) => checkEntry(store, subject, entry);
  for await (const { entry, finding } of mapAhead(index?.manifest.manifests ?? [], { limit: WORKERS }, check)) {
    const isOurs = finding?.problem !== "foreign" && finding?.problem !== "unreadable";
    const earlier = isOurs && entry ? ours.get(entry.digest) : undefined;
    if (entry && earlier !== undefined) {
      findings.push({ problem: "duplicate", digest: entry.digest, reason: "the index lists it several times" });
      entries[earlier] = joined(entry, entries[earlier]);
      continue;
    }
    if (finding) findings.push(finding);
    if (entry && isOurs) ours.set(entry.digest, entries.length);
    if (entry) entries.push(entry);
  }
  return { findings, entries };
}

/** One entry for two of the same referrer, with what either of them has. */
function joined(one: Descriptor, other: Descriptor | undefined): Descriptor {
  const annotations = { ...one.annotations, ...other?.annotations };
  return { ...one, ...other, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) };
}

/** The entry as it should be, and what is wrong with it. Without an entry, its manifest does not exist. */
async function checkEntry(
  store: ImageStore,
  subject: Digest,
  entry: Descriptor,
): Promise<{ entry: Descriptor | undefined; finding: Finding | undefined }> {
  const { digest } = entry;
  let stored: StoredManifest | undefined;
  try {
    stored = await store.manifest(digest);
  } catch (error) {
    if (!(error instanceof TsignError) || error.code !== "registry" || error.status !== undefined) throw error;
    return { entry, finding: { problem: "unreadable", digest, reason: error.message } };
  }
  if (!stored)
    return { entry: undefined, finding: { problem: "stale", digest, reason: "its manifest does not exist" } };
  if (stored.manifest.subject?.digest !== subject) {
    return { entry, finding: { problem: "foreign", digest, reason: "its manifest does not refer to the image" } };
  }
  const right = corrected(entry, stored);
  const names = (["mediaType", "size", "artifactType", "annotations"] as const).filter(
    (name) => !isDeepStrictEqual(entry[name] ?? {}, right[name] ?? {}),
  );
  if (names.length === 0) return { entry, finding: undefined };
  const reason = `its entry differs from its manifest: ${names.join(", ")}`;
  return { entry: right, finding: { problem: "wrong", digest, reason } };
}

/** The descriptor of a referrer as its manifest demands; other fields and annotations of the entry are kept. */
function corrected({ artifactType: _, annotations = {}, ...entry }: Descriptor, stored: StoredManifest): Descriptor {
  const right = referrerDescriptor(stored);
  const all = { ...annotations, ...right.annotations };
  return { ...entry, ...right, ...(Object.keys(all).length > 0 ? { annotations: all } : {}) };
}

/** Finds manifests outside of the lists that refer to an image: those under tags, and the given ones. */
async function* candidates(
  store: ImageStore,
  subject: Digest,
  { also, onUnlistable }: Parameters<typeof planRepair>[2],
): AsyncGenerator<{ digest: Digest; source: string }> {
  const tags = await tagsOf(store, onUnlistable);
  const names = [...also, ...tags.filter((tag) => tag !== fallbackTag(subject))];
  const seen = new Set<Digest>();
  const read = async (name: string) => ({ name, stored: await store.manifest(name) });
  for await (const { name, stored } of mapAhead(names, { limit: WORKERS }, read)) {
    if (isDigest(name) && stored?.manifest.subject?.digest !== subject) {
      const reason = stored ? `it does not refer to ${subject}` : "it does not exist";
      throw new TsignError("input", `check referrer ${store.name}@${name}: ${reason}`);
    }
    if (!stored || stored.manifest.subject?.digest !== subject || seen.has(stored.descriptor.digest)) continue;
    seen.add(stored.descriptor.digest);
    yield { digest: stored.descriptor.digest, source: isDigest(name) ? "the manifest" : `the tag ${name}` };
  }
}

async function tagsOf(store: ImageStore, onUnlistable: (error: TsignError) => void): Promise<string[]> {
  try {
    return await store.tags();
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "cancelled" || error.code === "internal") throw error;
    onUnlistable(error);
    return [];
  }
}

/**
 * Corrects the fallback index in one write, after checking it again; entries that others add at the same time are kept. Then stores
 * the manifests again that no list contains: the registry or the fallback index lists them.
 *
 * @returns digests that the API should list and still does not: "kept" if it lists nothing and the fallback index, which is then
 * read, lists them; otherwise "failed"
 * @throws TsignError the registry's errors; the index is then the old or the corrected one
 */
export async function applyRepair(
  io: Pick<Io, "sleep" | "now" | "signal">,
  store: ImageStore,
  { subject, plan }: { subject: Digest; plan: RepairPlan },
): Promise<Map<Digest, "kept" | "failed">> {
  if (plan.findings.some(({ problem }) => isOfIndex(problem))) await correctIndex(io, store, subject);
  const unlisted = plan.findings.filter(({ problem }) => problem === "missing" || problem === "unlisted");
  for (const { digest } of unlisted) await storeAgain(store, digest);
  if (unlisted.length === 0) return new Map();
  const byApi = await store.referrersByApi?.(subject);
  const index = await fallbackIndex(store, subject);
  const byIndex = new Set(index?.manifest.manifests?.map(({ digest }) => digest));
  const left = new Map<Digest, "kept" | "failed">();
  for (const { digest } of unlisted) {
    if (byApi?.has(digest) || (!byApi && byIndex.has(digest))) continue;
    left.set(digest, byApi?.size === 0 && byIndex.has(digest) ? "kept" : "failed");
  }
  return left;
}

/** Stores a referrer again. A registry that then does not list it is found out later. */
async function storeAgain(store: ImageStore, digest: Digest): Promise<void> {
  const stored = await store.manifest(digest);
  if (!stored) return;
  try {
    await store.putReferrer(stored.bytes, { mediaType: stored.descriptor.mediaType });
  } catch (error) {
    const isUnlisted = error instanceof TsignError && error.code === "registry" && error.status === undefined;
    if (!isUnlisted) throw error;
  }
}

/** Whether a problem is corrected by writing the index. */
function isOfIndex(problem: Problem): boolean {
  return problem === "stale" || problem === "wrong" || problem === "duplicate";
}

async function correctIndex(
  io: Pick<Io, "sleep" | "now" | "signal">,
  store: ImageStore,
  subject: Digest,
): Promise<void> {
  await appendToTag({
    io,
    store,
    tag: fallbackTag(subject),
    async merge(current) {
      if (!current?.manifest.manifests) throw contentChanged(store, fallbackTag(subject));
      const { findings, entries } = await checkIndex(store, subject, current);
      if (!findings.some(({ problem }) => isOfIndex(problem))) return undefined;
      return { bytes: indexBytes(entries), mediaType: INDEX_TYPE };
    },
  });
}
