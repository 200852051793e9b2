import { TsignError } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import { type Cache, openCache } from "./cache.ts";
import { type Kinds, readMetadata, untrusted } from "./metadata.ts";
import { type MirrorIo, mirrorSource } from "./mirror.ts";
import { currentMirror, embeddedRoot } from "./mirrors.ts";
import { fetchTarget, followRepository, type Repository, type Source } from "./workflow.ts";

export type TufIo = MirrorIo & Pick<Io, "stderr">;

/** A TUF repository that was followed to its targets. */
export interface Tuf {
  /**
   * The content of a target.
   *
   * @throws TsignError
   */
  target(name: string): Promise<Uint8Array>;
  /** The targets that say what they are used for, in the order of their names; see `SingleTarget`. */
  listed(): readonly SingleTarget[];
}

/**
 * A target that is one certificate or key, as repositories list them that have no trusted_root.json, or have one too: what it is
 * used for and where its service is (sigstore's `custom` metadata; well-known names where there is none).
 */
export interface SingleTarget {
  readonly name: string;
  readonly usage: "Fulcio" | "Rekor" | "CTFE" | "TSA";
  /** Address of the service; empty when it is not said. */
  readonly uri: string;
}

/** Names that say what a target is where its metadata does not. */
const USUAL_NAMES: readonly [RegExp, SingleTarget["usage"]][] = [
  [/^fulcio(_v1|_intermediate_v1)?\.crt\.pem$/, "Fulcio"],
  [/^rekor\.pub$/, "Rekor"],
  [/^ctfe\.pub$/, "CTFE"],
  [/^tsa_(leaf|root|intermediate_\d+)\.crt\.pem$/, "TSA"],
];

const opened = new WeakMap<object, Promise<Tuf>>();

/**
 * A target of the repository in use: `trusted_root.json`, `signing_config.v0.2.json`.
 *
 * @throws TsignError
 */
export async function loadTarget(io: TufIo, name: string): Promise<Uint8Array> {
  return (await currentRepository(io)).target(name);
}

/** Follows the repository once for all that one command asks of it. */
export function currentRepository(io: TufIo): Promise<Tuf> {
  const known = opened.get(io);
  if (known) return known;
  const tuf = openCurrent(io);
  opened.set(io, tuf);
  return tuf;
}

async function openCurrent(io: TufIo): Promise<Tuf> {
  const mirror = await currentMirror(io);
  const cache = await openCache(io, mirror);
  const anchor = embeddedRoot(mirror) ?? (await rootOfVariable(io)) ?? cache.root;
  if (!anchor) {
    throw new TsignError("untrusted", `no root is known for the TUF mirror ${mirror.href}`, {
      hint: "run `tsign initialize --mirror URL --root FILE`, or set TUF_ROOT_JSON",
    });
  }
  return openTuf(io, { mirror, anchor, cache });
}

async function rootOfVariable(io: TufIo): Promise<Uint8Array | undefined> {
  const path = io.env["TUF_ROOT_JSON"];
  return path ? io.files.read(path, { maxBytes: 1024 * 1024 }) : undefined;
}

/**
 * Follows a mirror from a trusted root and keeps what it says. When the mirror cannot be reached, what was kept is
 * followed instead, from the same root.
 *
 * @param options.hint what to do where it cannot be reached and nothing was kept
 * @throws TsignError
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
    if (!isUnreachable(error) || !cache.known.timestamp) throw explained(error, mirror, options.hint);
    return openKept(io, { anchor, cache, because: error });
  }
}

function tufOf(by: { source: Source; repository: Repository; cache: Cache }): Tuf {
  const { source, repository, cache } = by;
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

/** Whether it is the way to the mirror that failed, and not what the mirror said. */
function isUnreachable(error: unknown): error is TsignError {
  return error instanceof TsignError && ["network", "timeout", "service"].includes(error.code);
}

function explained(error: unknown, mirror: URL, hint = "pass --trusted-root FILE to do without the network"): unknown {
  if (!isUnreachable(error)) return error;
  const { service, status, url } = error;
  return new TsignError(
    error.code,
    `trust material cannot be fetched from ${mirror.host || mirror.href}: ${error.message}`,
    { hint, cause: error, service, status, url },
  );
}

/**
 * Follows what was kept. Timestamp and snapshot live for days only, and mean "this is the latest", which nobody can know
 * offline: past their end they are used with a warning. Root and targets must not have expired.
 */
async function openKept(io: TufIo, by: { anchor: Uint8Array; cache: Cache; because: TsignError }): Promise<Tuf> {
  const { anchor, cache, because } = by;
  const { timestamp, snapshot } = cache.known;
  const now = io.now();
  const ends = [expiry("timestamp", timestamp), expiry("snapshot", snapshot)].filter((end) => end <= now);
  const at = ends.length > 0 ? new Date(Math.min(...ends.map(Number)) - 1000) : now;
  const known = { timestamp: undefined, snapshot: undefined, targets: undefined };
  const repository = await followRepository(cache.source, { anchor, known, now: at });
  for (const kind of ["root", "targets"] as const) {
    const { signed } = repository[kind].metadata;
    if (signed.isExpired(now)) throw untrusted(`${kind}.json expired at ${signed.expires}`, because);
  }
  const age = ends.length > 0 ? `, which was due for renewal at ${ends[0]?.toISOString()}` : "";
  io.stderr.write(`WARNING: ${because.message}; using the trust material kept from before${age}\n`);
  return tufOf({ source: cache.source, repository, cache: { ...cache, keep: async () => {} } });
}

function expiry<K extends keyof Kinds>(kind: K, bytes: Uint8Array | undefined): Date {
  if (!bytes) return new Date(8_640_000_000_000_000);
  return new Date(readMetadata(kind, bytes).metadata.signed.expires);
}
