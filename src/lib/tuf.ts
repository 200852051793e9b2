import { TsignError } from "../errors.ts";
import { DEFAULT_MIRROR } from "../services/tuf/addresses.ts";
import { type Cache, openCache } from "../services/tuf/cache.ts";
import { openTuf, type Tuf } from "../services/tuf/index.ts";
import { embeddedRoot, parseMirror } from "../services/tuf/mirrors.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import { readTrustedRoot } from "../trust/trusted-root.ts";
import { type Context, libraryIo } from "./context.ts";
import type { TufRepository } from "./types.ts";

/** Whom a TUF repository says to trust. @throws TsignError */
export async function distributedTrust(context: Context, repository: TufRepository): Promise<TrustedMaterial> {
  const tuf = await followTuf(context, repository);
  return readTrustedRoot(await tuf.target("trusted_root.json"), "the distributed trusted root");
}

/**
 * Follows a repository to its targets.
 *
 * @throws TsignError
 */
async function followTuf(context: Context, repository: TufRepository): Promise<Tuf> {
  const { cache: folder } = repository;
  const io = libraryIo(folder === undefined ? context : { ...context, env: { ...context.env, TUF_ROOT: folder } });
  const mirror = parseMirror(repository.mirror ?? DEFAULT_MIRROR, "tuf.mirror");
  const anchor = repository.root ?? embeddedRoot(mirror);
  if (!anchor) {
    throw new TsignError("usage", `no root is known for the TUF mirror ${mirror.href}`, { hint: "pass tuf.root" });
  }
  const cache = folder === undefined ? NO_CACHE : await openCache(io, mirror);
  return openTuf(io, { mirror, anchor, cache, hint: "pass the bytes of a trusted root to do without the network" });
}

const empty = () => Promise.reject(new TsignError("input", "nothing is kept"));

/** Keeps nothing. */
const NO_CACHE: Cache = {
  known: { timestamp: undefined, snapshot: undefined, targets: undefined },
  root: undefined,
  source: { root: async () => undefined, timestamp: empty, metadata: empty, target: empty },
  target: async () => undefined,
  keep: async () => {},
};
