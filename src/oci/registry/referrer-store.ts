import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { appendToTag } from "../append.ts";
import { readManifest } from "../manifest.ts";
import { inParallel } from "../parallel.ts";
import { fallbackTag } from "../tags.ts";
import type { Descriptor, ImageStore, ListedReferrer, StoredManifest, UnlistedReferrers } from "../types.ts";
import { referrerDescriptor, withReferrers } from "./fallback-index.ts";
import { type Connection, getManifest, putManifest, tagsOf } from "./manifests.ts";
import { entriesOf, listByApi, NoReferrersApi } from "./referrers.ts";

/** Fallback indexes written at a time; most of the time is spent waiting. */
const WORKERS = 16;
/** Pauses before listing again when a stored referrer is missing from the list, in milliseconds. */
const PAUSES = [200, 800, 2000];

/** Sessions whose referrers API has listed something: their empty lists are trusted. */
const hasListed = new WeakSet<object>();

interface Referring extends Connection {
  /** The repository, for its tags. */
  readonly store: ImageStore;
}

/**
 * Lists referrers by the API, and by the fallback tag when the API lists none or fails. A failure is thrown after the entries
 * that could be read.
 */
export async function* listReferrers(referring: Referring, subject: Digest): AsyncGenerator<ListedReferrer> {
  let entries = 0;
  let answered = false;
  let failure: { error: unknown } | undefined;
  try {
    for await (const entry of listByApi(referring, subject)) {
      entries++;
      yield entry;
    }
    answered = true;
  } catch (error) {
    if (!(error instanceof NoReferrersApi)) failure = { error: expected(error) };
  }
  if (entries > 0) hasListed.add(referring.session);
  if (answered && hasListed.has(referring.session)) return;
  try {
    const index = await readFallback(referring, subject);
    const fallbackIndex = indexName(referring.repository, subject);
    const budget = { left: Number.POSITIVE_INFINITY };
    const options = { where: `referrers index ${fallbackIndex}`, doubtful: false, seen: new Set<string>(), budget };
    for await (const entry of index ? entriesOf([index.bytes], options) : []) {
      yield "unreadable" in entry ? entry : { ...entry, fallbackIndex };
    }
  } catch (error) {
    // Some registries that have the referrers API refuse a tag that does not exist; their list is complete.
    const harmless = answered && error instanceof TsignError && (error.code === "auth" || error.code === "registry");
    if (!harmless) failure ??= { error: expected(error) };
  }
  if (failure) throw failure.error;
}

/** Returns the digests that the referrers API lists; undefined without the API. @throws TsignError when the list fails */
export async function referrersByApi(connection: Referring, subject: Digest): Promise<Set<Digest> | undefined> {
  const listed = new Set<Digest>();
  try {
    for await (const entry of listByApi(connection, subject)) if (!("unreadable" in entry)) listed.add(entry.digest);
  } catch (error) {
    if (error instanceof NoReferrersApi) return undefined;
    throw error;
  }
  return listed;
}

/** Returns the name of a subject's fallback index, `registry/repository:tag`. */
function indexName({ name }: { readonly name: string }, subject: Digest): string {
  return `${name}:${fallbackTag(subject)}`;
}

/** Returns an error caused by the registry; rethrows a defect of tsign or an interruption, which ends the command. */
function expected(error: unknown): TsignError {
  if (error instanceof TsignError && error.code !== "internal" && error.code !== "cancelled") return error;
  throw error;
}

/**
 * Reads the index under the fallback tag. Some registries resolve a tag that looks like a digest to that digest, so the image
 * itself comes back, which is not an index.
 *
 * @throws TsignError "registry" when the tag points to another manifest that is not an index
 */
async function readFallback(connection: Connection, subject: Digest): Promise<StoredManifest | undefined> {
  const index = await getManifest(connection, fallbackTag(subject));
  if (!index) return undefined;
  if (index.descriptor.digest === subject) {
    if ((await tagsOf(connection))?.has(fallbackTag(subject))) throw shadowed(connection.repository, subject);
    return undefined;
  }
  if (index.manifest.manifests) return index;
  const name = indexName(connection.repository, subject);
  const actual = index.descriptor.digest;
  throw new TsignError("registry", `read referrers index ${name}: the tag points to ${actual}, which is not an index`);
}

/**
 * Stores a manifest that has a subject, and returns once it is listed. A registry that announces that it lists it (header
 * OCI-Subject) may need some time; without `later`, tsign waits for the list.
 *
 * @throws TsignError "registry" when it is stored and not listed
 */
export async function putReferrer(
  referring: Referring,
  bytes: Uint8Array,
  { mediaType, later }: { mediaType: string; later?: UnlistedReferrers },
): Promise<Descriptor> {
  const { descriptor, listed } = await putManifest(referring, bytes, { mediaType });
  if (listed && later) return descriptor;
  const where = `${referring.repository.name}@${descriptor.digest}`;
  const manifest = readManifest(bytes, { servedType: mediaType, where });
  const { subject } = manifest;
  if (!subject) throw new TsignError("internal", `push referrer ${where}: missing subject`);
  const entry = referrerDescriptor({ descriptor, bytes, manifest });
  const unlisted = later ?? new Map<Digest, Descriptor[]>();
  unlisted.set(subject.digest, [...(unlisted.get(subject.digest) ?? []), entry]);
  if (!later) await listUnlisted(referring, unlisted, { promised: listed });
  return descriptor;
}

/**
 * Writes the fallback index of each subject whose referrers the API does not list.
 *
 * @param options.promised the registry announced that it lists them
 */
export async function listUnlisted(
  referring: Referring,
  unlisted: UnlistedReferrers,
  { promised }: { promised: boolean } = { promised: false },
): Promise<void> {
  await inParallel([...unlisted], WORKERS, async ([subject, entries]) => {
    const missing = await missingFromApi(referring, subject, { entries, promised });
    if (missing.length > 0) await addToFallback(referring, subject, missing);
  });
}

/**
 * Returns the entries that the API does not list. When the API lists other entries but not these, even after a while, the
 * fallback index would not be read, so that is an error. A registry that announced them is given time, and is believed when
 * its list cannot be read.
 */
async function missingFromApi(
  connection: Referring,
  subject: Digest,
  { entries, promised }: { entries: readonly Descriptor[]; promised: boolean },
): Promise<readonly Descriptor[]> {
  const missing = new Map(entries.map((each) => [each.digest, each]));
  for (let look = 0; ; look++) {
    let others = 0;
    try {
      for await (const entry of listByApi(connection, subject)) {
        if (!("unreadable" in entry) && missing.delete(entry.digest)) continue;
        others++;
        if (missing.size === 0) break;
      }
    } catch (error) {
      const isAbsent = error instanceof NoReferrersApi;
      if (!isAbsent) expected(error);
      return promised && !isAbsent ? [] : [...missing.values()];
    }
    const pause = PAUSES[look];
    const isEmpty = others === 0 && (!promised || pause === undefined);
    if (missing.size === 0 || isEmpty) return [...missing.values()];
    if (pause === undefined) break;
    await connection.io.sleep(pause, connection.io.signal);
  }
  const [first] = missing.keys();
  const { repository } = connection;
  throw new TsignError(
    "registry",
    `push referrer ${repository.name}@${first}: ${repository.registry} stored it but does not list it as a referrer of ${subject}`,
    { hint: "pass --new-bundle-format=false to store the signature under a tag instead" },
  );
}

/** The error for a registry that returns the image under the fallback tag even when an index is stored there. */
function shadowed(repository: { readonly name: string }, subject: Digest): TsignError {
  const name = indexName(repository, subject);
  const message = `read referrers index ${name}: the registry returns the image itself for this tag`;
  return new TsignError("registry", message, {
    hint: "pass --new-bundle-format=false to store the signature under another tag",
  });
}

async function addToFallback(referring: Referring, subject: Digest, entries: readonly Descriptor[]): Promise<void> {
  const { io, store } = referring;
  const tag = fallbackTag(subject);
  const isImage = (digest: Digest | undefined) => digest === subject;
  let wrote = false;
  const view: ImageStore = {
    ...store,
    async resolve(identifier) {
      const found = await store.resolve(identifier);
      return isImage(found?.digest) ? undefined : found;
    },
    async manifest(identifier) {
      const found = await store.manifest(identifier);
      if (identifier !== tag || !isImage(found?.descriptor.digest)) return found;
      if (wrote) throw shadowed(store, subject);
      return undefined;
    },
    async putManifest(bytes, options) {
      wrote = true;
      return store.putManifest(bytes, options);
    },
  };
  await appendToTag({ io, store: view, tag, merge: (current) => withReferrers(view, current, entries) });
}
