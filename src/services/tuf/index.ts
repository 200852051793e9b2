import { TsignError, withHint } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import { type Cache, openCache } from "./cache.ts";
import { type Kinds, readMetadata, untrusted } from "./metadata.ts";
import { type MirrorIo, mirrorSource } from "./mirror.ts";
import { currentMirror, embeddedRoot } from "./mirrors.ts";
import { fetchTarget, followRepository, type Repository, type Source } from "./workflow.ts";

export type TufIo = MirrorIo & Pick<Io, "stderr">;

/** A TUF repository with verified targets metadata. */
export interface Tuf {
  /**
   * Returns the content of a target.
   *
   * @throws TsignError "untrusted" for an unlisted or altered target, and what the mirror throws
   */
  target(name: string): Promise<Uint8Array>;
  /** Returns the targets with a known usage, ordered by name; see `SingleTarget`. */
  listed(): readonly SingleTarget[];
}

/**
 * A target with one certificate or key, which repositories list in place of or in addition to trusted_root.json, with its
 * usage and the address of its service (from Sigstore's `custom` metadata, else from well-known names).
 */
export interface SingleTarget {
  readonly name: string;
  readonly usage: "Fulcio" | "Rekor" | "CTFE" | "TSA";
  /** Address of the service; empty if unknown. */
  readonly uri: string;
}

/** Usage by name, for targets whose metadata has none. */
const USUAL_NAMES: readonly [RegExp, SingleTarget["usage"]][] = [
  [/^fulcio(_v1|_intermediate_v1)?\.crt\.pem$/, "Fulcio"],
  [/^rekor\.pub$/, "Rekor"],
  [/^ctfe\.pub$/, "CTFE"],
  [/^tsa_(leaf|root|intermediate_\d+)\.crt\.pem$/, "TSA"],
];

const opened = new WeakMap<object, Promise<Tuf>>();

/**
 * Returns a target of the current repository: `trusted_root.json`, `signing_config.v0.2.json`.
 *
 * @throws TsignError "untrusted", and "network", "timeout" or "service" without a usable cache
 */
export async function loadTarget(io: TufIo, name: string): Promise<Uint8Array> {
  return (await currentRepository(io)).target(name);
}

/** Opens the current repository, once for each command. */
export function currentRepository(io: TufIo): Promise<Tuf> {
  const known = opened.get(io);
  if (known) return known;
  const tuf = openCurrent(io);
  opened.set(io, tuf);
  return tuf;
}

async function openCurrent(io: TufIo): Promise<Tuf> {
  return openTuf(io, await currentSource(io));
}

/**
 * Returns the current mirror with its cache, and the root that it is trusted by. Sends no request.
 *
 * @throws TsignError "input" for an invalid address, "untrusted" without a root
 */
export async function currentSource(io: TufIo): Promise<{ mirror: URL; anchor: Uint8Array; cache: Cache }> {
  const mirror = await currentMirror(io);
  const cache = await openCache(io, mirror);
  const anchor = embeddedRoot(mirror) ?? (await rootOfVariable(io)) ?? cache.root;
  if (!anchor) {
    throw new TsignError("untrusted", `missing trusted root of the TUF mirror ${mirror.href}`, {
      hint: "run `tsign initialize --mirror URL --root FILE`, or set TUF_ROOT_JSON",
    });
  }
  return { mirror, anchor, cache };
}

async function rootOfVariable(io: TufIo): Promise<Uint8Array | undefined> {
  const path = io.env["TUF_ROOT_JSON"];
  return path ? io.files.read(path, { maxBytes: 1024 * 1024 }) : undefined;
}

/**
 * Updates the metadata of a mirror, starting from a trusted root, and caches it. If the mirror cannot be reached, uses the
 * cache instead, starting from the same root.
 *
 * @param options.anchor bytes of the trusted root
 * @param options.hint the hint if the mirror cannot be reached and nothing is cached
 * @throws TsignError "untrusted" for metadata that does not verify; "network", "timeout" or "service" without a cache
 */
export async function openTuf(
  io: TufIo,
  options: { mirror: URL; anchor: Uint8Array; cache: Cache; hint?: string },
): Promise<Tuf> {
  const { mirror, anchor, cache } = options;
  const online = mirrorSource(io, mirror);
  try {
    const repository = await followRepository(online, { anchor, known: cache.known, now: io.now() });
    await cache.keep(repository, new Map());
    return tufOf({ source: online, repository, cache });
  } catch (error) {
    if (!isUnreachable(error) || !cache.known.timestamp) throw withMirror(error, mirror, options.hint);
    return openCached(io, { anchor, cache, because: error });
  }
}

function tufOf({ source, repository, cache }: { source: Source; repository: Repository; cache: Cache }): Tuf {
  return {
    async target(name) {
      const kept = await cache.target(name);
      const bytes = await fetchTarget(source, repository, { name, kept });
      if (bytes !== kept) await cache.keep(repository, new Map([[name, bytes]]));
      return bytes;
    },
    listed: () => singleTargets(repository),
  };
}

function singleTargets(repository: Repository): SingleTarget[] {
  const listed = Object.entries(repository.targets.metadata.signed.targets).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const stated = listed.flatMap(([name, { unrecognizedFields }]) => {
    const { custom } = unrecognizedFields ?? {};
    const { usage, uri } = isObject(custom) && isObject(custom["sigstore"]) ? custom["sigstore"] : {};
    const known = USUAL_NAMES.find(([, each]) => each === usage);
    return known ? [{ name, usage: known[1], uri: typeof uri === "string" ? uri : "" }] : [];
  });
  const named = listed.flatMap(([name]) => {
    const [, usage] = USUAL_NAMES.find(([pattern]) => pattern.test(name)) ?? [];
    return usage && !stated.some((each) => each.usage === usage) ? [{ name, usage, uri: "" }] : [];
  });
  return [...stated, ...named];
}

/** Whether the mirror could not be reached or failed; false if its content is wrong. */
function isUnreachable(error: unknown): error is TsignError {
  return error instanceof TsignError && ["network", "timeout", "service"].includes(error.code);
}

function withMirror(
  error: unknown,
  mirror: URL,
  hint = "use --trusted-root FILE to work without the network",
): unknown {
  if (!isUnreachable(error)) return error;
  const { service, status, url } = error;
  return new TsignError(error.code, `fetch trust material from ${mirror.host || mirror.href}: ${error.message}`, {
    hint,
    cause: error,
    service,
    status,
    url,
  });
}

/**
 * Uses the cached metadata. Expired timestamp and snapshot metadata is accepted with a warning: it is valid for days only, and
 * says which version is the latest, which cannot be checked offline. Root and targets must not have expired.
 */
async function openCached(io: TufIo, options: { anchor: Uint8Array; cache: Cache; because: TsignError }): Promise<Tuf> {
  const { anchor, cache, because } = options;
  const { timestamp, snapshot } = cache.known;
  const now = io.now();
  const ends = [expiry("timestamp", timestamp), expiry("snapshot", snapshot)].filter((end) => end <= now);
  const at = ends.length > 0 ? new Date(Math.min(...ends.map(Number)) - 1000) : now;
  const known = { timestamp: undefined, snapshot: undefined, targets: undefined };
  const repository = await followRepository(cache.source, { anchor, known, now: at });
  for (const kind of ["root", "targets"] as const) {
    const { signed } = repository[kind].metadata;
    if (signed.isExpired(now)) {
      const hint = `run the command with a network connection to update it, and check this machine's clock, which is at ${now.toISOString()}`;
      throw withHint(untrusted(`cached ${kind}.json expired at ${signed.expires}: ${because.message}`, because), hint);
    }
  }
  const age = ends.length > 0 ? `, which expired at ${ends[0]?.toISOString()}` : "";
  io.stderr.write(`WARNING: ${because.message}; using cached trust material${age}\n`);
  return tufOf({ source: cache.source, repository, cache: { ...cache, keep: async () => {} } });
}

function expiry<K extends keyof Kinds>(kind: K, bytes: Uint8Array | undefined): Date {
  if (!bytes) return new Date(8_640_000_000_000_000);
  return new Date(readMetadata(kind, bytes).metadata.signed.expires);
}
