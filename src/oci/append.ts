import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";
import type { Descriptor, ImageStore, StoredManifest } from "./types.ts";

/** What to write next, given what the tag holds; undefined when it already holds what we add. */
export type Merge = (
  current: StoredManifest | undefined,
) => Promise<{ readonly bytes: Uint8Array; readonly mediaType: string } | undefined>;

/** Rounds before giving up: with thirty writers at once, a handful is what it takes. */
const MAX_ROUNDS = 60;
/** Bounds of the wait before the last look, in milliseconds. */
const MIN_SETTLE = 50;
const MAX_SETTLE = 5_000;

/** One writer at a time for each tag within this process. */
const queues = new Map<string, Promise<unknown>>();

/**
 * Adds to what a tag holds without losing what others add at the same time. Registries have no compare-and-swap, so a
 * writer that read before our write may overwrite it afterwards. Therefore: read, write, then look again after longer than
 * such a writer can take, and merge anew until our part is still there. The wait follows what our own read-to-write took,
 * which is slow exactly when the registry and the machine are.
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
  let written = false;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const started = io.now().getTime();
    const current = await store.manifest(tag);
    const next = await merge(current);
    if (!next) {
      if (current) return current.descriptor;
      throw new TsignError("internal", `nothing to write to ${store.name}:${tag}`);
    }
    // Someone may have written while we prepared: what we would write is then out of date.
    const latest = written || round > 0 ? await store.resolve(tag) : undefined;
    if (latest && latest.digest !== current?.descriptor.digest) continue;
    await store.putManifest(next.bytes, { mediaType: next.mediaType, tag });
    written = true;
    const took = io.now().getTime() - started;
    settle = Math.min(Math.max(settle, 4 * took, MIN_SETTLE), MAX_SETTLE);
    await io.sleep(settle * (1 + Math.random()), io.signal);
  }
  throw new TsignError("registry", `other writers keep overwriting ${store.name}:${tag}`, {
    hint: "try again when fewer signers write to the same image",
  });
}
