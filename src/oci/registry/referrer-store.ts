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

/** Indexes written at a time: a writer waits more than it works. */
const WORKERS = 16;
/** Pauses before another look at a listing that lacks what was just stored, in milliseconds. */
const PAUSES = [200, 800, 2000];

/** Registries whose API listed something: an empty list of theirs is not doubted. */
const lists = new WeakSet<object>();

interface Referring extends Connection {
  /** The repository itself, for its tags. */
  readonly store: ImageStore;
}

/**
 * Referrers by the API, and by the fallback tag where the API has none or fails. A failure is thrown after everything that
 * could be read.
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
  if (entries > 0) lists.add(referring.session);
  if (answered && lists.has(referring.session)) return;
  try {
    const index = await readFallback(referring, subject);
    const where = `the referrers index of ${referring.repository.name}@${subject}`;
    const budget = { left: Number.POSITIVE_INFINITY };
    if (index) yield* entriesOf([index.bytes], { where, doubtful: false, seen: new Set(), budget });
  } catch (error) {
    // A registry that lists referrers and refuses a tag that it has not is believed about its list.
    const harmless = answered && error instanceof TsignError && (error.code === "auth" || error.code === "registry");
    if (!harmless) failure ??= { error: expected(error) };
  }
  if (failure) throw failure.error;
}

/** Passes what a registry did; a defect of tsign or the user's stop ends the command. */
function expected(error: unknown): TsignError {
  if (error instanceof TsignError && error.code !== "internal" && error.code !== "cancelled") return error;
  throw error;
}

/**
 * What the fallback tag holds. Some registries answer a tag that is a digest's text with that digest's manifest: the image
 * itself lists nothing.
 *
 * @throws TsignError "registry" when something else than an index stands there
 */
async function readFallback(connection: Connection, subject: Digest): Promise<StoredManifest | undefined> {
  const index = await getManifest(connection, fallbackTag(subject));
  if (!index) return undefined;
  if (index.descriptor.digest === subject) {
    if ((await tagsOf(connection))?.has(fallbackTag(subject))) throw shadowed(connection.repository.name, subject);
    return undefined;
  }
  if (index.manifest.manifests) return index;
  const where = `${connection.repository.name}@${index.descriptor.digest}`;
  throw new TsignError("registry", `${where} stands where the referrers index belongs`);
}

/**
 * Stores a manifest that has a subject, and returns once it is listed. A registry that says in its answer that it will list it
 * (OCI-Subject) may take a while to: without `later` its listing is waited for.
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
  if (!subject) throw new TsignError("internal", "a referrer needs a subject");
  const entry = referrerDescriptor({ descriptor, bytes, manifest });
  const unlisted = later ?? new Map<Digest, Descriptor[]>();
  unlisted.set(subject.digest, [...(unlisted.get(subject.digest) ?? []), entry]);
  if (!later) await listUnlisted(referring, unlisted, { promised: listed });
  return descriptor;
}

/**
 * Writes the fallback index of each subject that has referrers which the API does not list.
 *
 * @param options.promised the registry said that it lists them
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
 * Which of the entries the API does not list. One that lists others but not these, even after a while, is not a registry
 * that lacks the API: what it does not list would not be found. Nor does one that promised to list them lack it at first sight;
 * if it cannot be asked, its promise stands.
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
    `${repository.name}@${first} is stored, but ${repository.registry} does not list it among the referrers of ${subject}`,
    { hint: "--new-bundle-format=false stores a signature by tag, which needs no listing" },
  );
}

function shadowed(name: string, subject: Digest): TsignError {
  const what = `${name}:${fallbackTag(subject)} is answered with the image itself, whatever is stored there`;
  return new TsignError("registry", what, {
    hint: "--new-bundle-format=false stores a signature under another tag",
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
      if (wrote) throw shadowed(store.name, subject);
      return undefined;
    },
    async putManifest(bytes, options) {
      wrote = true;
      return store.putManifest(bytes, options);
    },
  };
  await appendToTag({ io, store: view, tag, merge: (current) => withReferrers(view, current, entries) });
}
