import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import type { Descriptor, ImageStore, StoredManifest } from "./types.ts";

/** Returns what to write next, given the tag's current content; undefined when it already contains our part. */
export type Merge = (
  current: StoredManifest | undefined,
) => Promise<{ readonly bytes: Uint8Array; readonly mediaType: string } | undefined>;

/** Writes before giving up. Thirty concurrent writers need about five each. */
const MAX_WRITES = 60;
/** Reads before giving up. A read that another writer made stale costs no write. */
const MAX_READINGS = 500;
/** Longest time that resolving the tag may take right before a write, in milliseconds, unless the registry is always slower. */
const MAX_RESOLVE_TIME = 150;
/** Times the tag is resolved again before a slow answer is accepted. */
const MAX_RESOLVES = 5;
/** Bounds of the wait between a write and its check, in milliseconds; CONTENDED once another writer was noticed. */
const MIN_SETTLE = 500;
const MIN_SETTLE_CONTENDED = 1_500;
const MAX_SETTLE = 5_000;
/** Longest wait before retrying after another writer was faster, in milliseconds. */
const MAX_BACKOFF = 50;

/** Serializes the writers of one tag within this process. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Adds to the content of a tag without losing concurrent additions. Registries have no compare-and-swap, so a writer that read
 * before our write may overwrite it afterwards. Therefore: merge, check that the tag is unchanged, write at once, wait longer
 * than another writer can take between its check and its write, read again, and repeat until our part is still there. The wait
 * is a multiple of the time our own check and write took, and is longer once another writer was noticed.
 *
 * @returns descriptor of the manifest that contains our part
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
  const mine = before.catch(() => {}).then(() => mergeUntilStored(options));
  queues.set(key, mine);
  try {
    return await mine;
  } finally {
    if (queues.get(key) === mine) queues.delete(key);
  }
}

/** The error for a tag that no longer has what a write is based on. */
export function contentChanged({ name }: Pick<ImageStore, "name">, tag: string): TsignError {
  return new TsignError("registry", `write ${name}:${tag}: its content has changed`, { hint: "run the command again" });
}

async function mergeUntilStored({
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
      throw new TsignError("internal", `write ${store.name}:${tag}: no content`);
    }
    const checkedAt = await checkUnchanged({ io, store, tag, current });
    if (checkedAt === undefined || (wrote && current?.descriptor.digest !== wrote.digest)) {
      settle = Math.max(settle, MIN_SETTLE_CONTENDED);
    }
    if (checkedAt === undefined) {
      await io.sleep(MAX_BACKOFF * Math.random(), io.signal);
      continue;
    }
    wrote = await store.putManifest(next.bytes, { mediaType: next.mediaType, tag });
    writes++;
    settle = Math.min(Math.max(settle, 4 * (io.now().getTime() - checkedAt)), MAX_SETTLE);
    await io.sleep(settle * (1 + Math.random() / 2), io.signal);
  }
  throw new TsignError("registry", `write ${store.name}:${tag}: other writers keep overwriting it`, {
    hint: "retry when fewer processes sign the same image",
  });
}

/**
 * Returns the time, in milliseconds since 1970, at which the tag still had the content that was read; undefined when it has
 * changed. A slow answer may be out of date when it arrives, so the tag is then resolved again.
 */
async function checkUnchanged({
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
  for (let count = 1; ; count++) {
    const asked = io.now().getTime();
    const latest = await store.resolve(tag);
    if (latest?.digest !== current?.descriptor.digest) return undefined;
    const took = io.now().getTime() - asked;
    if (took <= Math.max(MAX_RESOLVE_TIME, 2 * fastest) || count === MAX_RESOLVES) return asked;
    fastest = Math.min(fastest, took);
  }
}
