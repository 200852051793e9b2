import { TsignError } from "../errors.ts";
import { DEFAULT_MIRROR } from "../services/tuf/addresses.ts";
import { type Cache, openCache } from "../services/tuf/cache.ts";
import { openTuf, type Tuf } from "../services/tuf/index.ts";
import { embeddedRoot, parseMirror } from "../services/tuf/mirrors.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import { readTrustedRoot } from "../trust/trusted-root.ts";
import { type Context, libraryIo } from "./context.ts";
import type { TufRepository } from "./types.ts";

/** Reads the trusted root of a TUF repository. @throws TsignError "usage", "untrusted", and what the mirror throws */
export async function distributedTrust(context: Context, repository: TufRepository): Promise<TrustedMaterial> {
  const tuf = await followTuf(context, repository);
  return readTrustedRoot(await tuf.target("trusted_root.json"), "the distributed trusted root");
}

/** Updates the metadata of a repository. @throws TsignError as `distributedTrust` */
async function followTuf(context: Context, repository: TufRepository): Promise<Tuf> {
  const { cache: folder } = repository;
  const io = libraryIo(folder === undefined ? context : { ...context, env: { ...context.env, TUF_ROOT: folder } });
  const mirror = parseMirror(repository.mirror ?? DEFAULT_MIRROR, "tuf.mirror");
  const anchor = repository.root ?? embeddedRoot(mirror);
  if (!anchor) {
    throw new TsignError("usage", `missing trusted root of the TUF mirror ${mirror.href}`, { hint: "pass tuf.root" });
  }
  const cache = folder === undefined ? NO_CACHE : await openCache(io, mirror);
  return openTuf(io, { mirror, anchor, cache, hint: "pass the bytes of a trusted root to work without the network" });
}

const empty = () => Promise.reject(new TsignError("input", "there is no cache"));

/** A cache that stores nothing. */
const NO_CACHE: Cache = {
  known: { timestamp: undefined, snapshot: undefined, targets: undefined },
  root: undefined,
  source: { root: async () => undefined, timestamp: empty, metadata: empty, target: empty },
  target: async () => undefined,
  keep: async () => {},
};
