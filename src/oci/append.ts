import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import type { Descriptor, ImageStore, StoredManifest } from "./types.ts";

/** What to write next, given what the tag holds; undefined when it already holds what we add. */
export type Merge = (
  current: StoredManifest | undefined,
) => Promise<{ readonly bytes: Uint8Array; readonly mediaType: string } | undefined>;

/** Writes before giving up: with thirty writers at once, a handful is what it takes. */
const MAX_WRITES = 60;
/** Readings before giving up; one that others made out of date costs no write. */
const MAX_READINGS = 500;
/** A write follows a look at the tag that is no older than this, or than two such looks take. Milliseconds. */
const FRESH = 150;
/** Looks before a slow one has to do. */
const MAX_LOOKS = 5;
/** Bounds of the wait before the last look, in milliseconds; the second once others were seen writing. */
const MIN_SETTLE = 500;
const MIN_SETTLE_CONTENDED = 1_500;
const MAX_SETTLE = 5_000;
/** Longest wait of a writer that was too late, in milliseconds. */
const STEP_BACK = 50;

/** One writer at a time for each tag within this process. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Adds to what a tag holds without losing what others add at the same time. Registries have no compare-and-swap, so a
 * writer that read before our write may overwrite it afterwards. Therefore: prepare, look whether the tag is still as it was,
 * write at once, then look again after longer than such a writer can take between its look and its write, and merge anew
 * until our part is still there. The wait follows what our own look and write took, which is slow exactly when the registry
 * and the machine are, and is longer once others were seen writing.
 *
 * @returns descriptor of the manifest that holds our part
 * @throws TsignError "registry" when others keep overwriting it
 */
export async function appendToTag(options: {
  io: Pick<Io, "sleep" | "now" | "signal">;
  store: ImageStore;
  tag: string;
  merge: Merge;
}): Promise<Descriptor> {
  const key = `${options.store.name}:${options.tag}`;
  const before = queues.get(key) ?? Promise.resolve();
  const mine = before.catch(() => {}).then(() => mergeUntilThere(options));
  queues.set(key, mine);
  try {
    return await mine;
  } finally {
    if (queues.get(key) === mine) queues.delete(key);
  }
}

async function mergeUntilThere({
  io,
  store,
  tag,
  merge,
}: {
  io: Pick<Io, "sleep" | "now" | "signal">;
  store: ImageStore;
  tag: string;
  merge: Merge;
}): Promise<Descriptor> {
  let settle = MIN_SETTLE;
  let wrote: Descriptor | undefined;
  for (let writes = 0, readings = 0; writes < MAX_WRITES && readings < MAX_READINGS; readings++) {
    const current = await store.manifest(tag);
    const next = await merge(current);
    if (!next) {
      if (current) return current.descriptor;
      throw new TsignError("internal", `nothing to write to ${store.name}:${tag}`);
    }
    const looked = await lookAgain({ io, store, tag, current });
    if (looked === undefined || (wrote && current?.descriptor.digest !== wrote.digest)) {
      settle = Math.max(settle, MIN_SETTLE_CONTENDED);
    }
    if (looked === undefined) {
      await io.sleep(STEP_BACK * Math.random(), io.signal);
      continue;
    }
    wrote = await store.putManifest(next.bytes, { mediaType: next.mediaType, tag });
    writes++;
    settle = Math.min(Math.max(settle, 4 * (io.now().getTime() - looked)), MAX_SETTLE);
    await io.sleep(settle * (1 + Math.random() / 2), io.signal);
  }
  throw new TsignError("registry", `other writers keep overwriting ${store.name}:${tag}`, {
    hint: "try again when fewer signers write to the same image",
  });
}

/**
 * When the tag was last known to be as it was read, in milliseconds since 1970; undefined when it no longer is. A look whose
 * answer took long says little about now, and is repeated.
 */
async function lookAgain({
  io,
  store,
  tag,
  current,
}: {
  io: Pick<Io, "now">;
  store: ImageStore;
  tag: string;
  current: StoredManifest | undefined;
}): Promise<number | undefined> {
  let fastest = Number.POSITIVE_INFINITY;
  for (let look = 1; ; look++) {
    const asked = io.now().getTime();
    const latest = await store.resolve(tag);
    if (latest?.digest !== current?.descriptor.digest) return undefined;
    const took = io.now().getTime() - asked;
    if (took <= Math.max(FRESH, 2 * fastest) || look === MAX_LOOKS) return asked;
    fastest = Math.min(fastest, took);
  }
}
