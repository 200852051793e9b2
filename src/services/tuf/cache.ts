import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { MAX_METADATA } from "./metadata.ts";
import type { Known, Repository, Source } from "./workflow.ts";

type CacheIo = Pick<Io, "env" | "files" | "stderr" | "now">;

/** Bytes of the largest cached target. */
const MAX_TARGET = 16 * 1024 * 1024;
/** File names that are valid on every system: without separators, drives, and a leading dot. */
const SAFE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * The cached files of a TUF repository, in cosign's layout, so that both programs share one cache: the latest metadata, the
 * targets, and, in addition, all earlier roots, so that a root rotation can be followed offline.
 */
export interface Cache {
  readonly known: Known;
  readonly root: Uint8Array | undefined;
  /** The cache as a source, for use when the mirror cannot be reached. */
  readonly source: Source;
  target(name: string): Promise<Uint8Array | undefined>;
  /** Writes metadata and targets. Warns if that fails; an unwritable cache must not prevent verification. */
  keep(repository: Repository, targets: ReadonlyMap<string, Uint8Array>): Promise<void>;
}

/** Returns the folder of all caches: $TUF_ROOT, else ~/.sigstore/root. */
export function cacheFolder(io: Pick<Io, "env">): string {
  return io.env["TUF_ROOT"] || `${io.env["HOME"] ?? ""}/.sigstore/root`;
}

/**
 * Returns why there is no place for a cache: HOME is not set or not a folder. A home folder is never created, because that
 * would leave files in the root folder, or in a folder with a mistyped name.
 *
 * @returns undefined if there is a place
 */
export async function noPlaceToKeep(io: Pick<Io, "env" | "files">): Promise<string | undefined> {
  const { TUF_ROOT: named, HOME: home } = io.env;
  if (named) return undefined;
  if (!home) return "HOME is not set";
  return (await io.files.stat(home))?.kind === "directory" ? undefined : `HOME is not a folder: ${home}`;
}

/** Returns the name of a mirror's folder, from its host and path as in sigstore-go. */
function mirrorFolder(mirror: URL): string {
  const path = `${mirror.host}${mirror.pathname}`.replace(/\/+$/, "");
  return path.toLowerCase().replaceAll(/[/:]/g, "-");
}

/**
 * Returns an existing folder of the mirror, else the usual one. sigstore-go derives the name from the address as it was
 * written, so a final slash or a default port may be part of it.
 */
async function existingFolder(io: CacheIo, mirror: URL): Promise<string> {
  const usual = mirrorFolder(mirror);
  const port = mirror.protocol === "https:" ? "443" : "80";
  const withPort = mirror.port === "" ? usual.replace(mirror.host.toLowerCase(), (host) => `${host}-${port}`) : usual;
  for (const name of new Set([usual, `${usual}-`, withPort, `${withPort}-`])) {
    const folder = `${cacheFolder(io)}/${name}`;
    if (await io.files.stat(`${folder}/root.json`)) return folder;
  }
  return `${cacheFolder(io)}/${usual}`;
}

/**
 * Opens the cache of a mirror. Its content is not verified yet.
 *
 * @param options.usual whether to use the folder with the usual name, even if one with another spelling exists
 */
export async function openCache(io: CacheIo, mirror: URL, options: { usual?: boolean } = {}): Promise<Cache> {
  const folder = options.usual ? `${cacheFolder(io)}/${mirrorFolder(mirror)}` : await existingFolder(io, mirror);
  const read = async (name: string, maxBytes: number): Promise<Uint8Array | undefined> => {
    try {
      return (await io.files.stat(`${folder}/${name}`)) && (await io.files.read(`${folder}/${name}`, { maxBytes }));
    } catch (error) {
      if (error instanceof TsignError) return undefined; // an unreadable file counts as absent
      throw error;
    }
  };
  const [root, timestamp, snapshot, targets] = await Promise.all(
    (["root", "timestamp", "snapshot", "targets"] as const).map((kind) => read(`${kind}.json`, MAX_METADATA[kind])),
  );
  const target = async (name: string) => (SAFE_NAME.test(name) ? read(`targets/${name}`, MAX_TARGET) : undefined);
  return {
    known: { timestamp, snapshot, targets },
    root,
    target,
    source: cacheSource({ folder, root, timestamp, snapshot, targets, read, target }),
    keep: (repository, content) => keep(io, { folder, repository, content }),
  };
}

function cacheSource(cached: {
  folder: string;
  root: Uint8Array | undefined;
  timestamp: Uint8Array | undefined;
  snapshot: Uint8Array | undefined;
  targets: Uint8Array | undefined;
  read: (name: string, maxBytes: number) => Promise<Uint8Array | undefined>;
  target: (name: string) => Promise<Uint8Array | undefined>;
}): Source {
  const present = (bytes: Uint8Array | undefined, name: string): Uint8Array => {
    if (bytes) return bytes;
    throw new TsignError("input", `${name} is not cached in ${cached.folder}`);
  };
  return {
    async root(version) {
      const earlier = await cached.read(`root_history/${version}.root.json`, MAX_METADATA.root);
      if (earlier) return earlier;
      return cached.root && versionOf(cached.root) === version ? cached.root : undefined;
    },
    timestamp: async () => present(cached.timestamp, "timestamp.json"),
    metadata: async (kind) => present(cached[kind], `${kind}.json`),
    target: async (name) => present(await cached.target(name), `targets/${name}`),
  };
}

function versionOf(root: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(root).toString("utf8")).signed.version;
  } catch {
    return undefined;
  }
}

/** Writes targets first, then metadata, with the timestamp last, so that concurrent readers find consistent files. */
async function keep(
  io: CacheIo,
  update: { folder: string; repository: Repository; content: ReadonlyMap<string, Uint8Array> },
): Promise<void> {
  const { folder, repository, content } = update;
  const { rotations, root, timestamp, snapshot, targets } = repository;
  const reason = await noPlaceToKeep(io);
  if (reason !== undefined) {
    warnOnce(io, `cannot cache trust material: ${reason}; set TUF_ROOT to a folder for it`);
    return;
  }
  try {
    await io.files.makeDirectory(`${folder}/targets`);
    if (rotations.length > 0) await io.files.makeDirectory(`${folder}/root_history`);
    for (const each of rotations) {
      await replace(io, `${folder}/root_history/${each.metadata.signed.version}.root.json`, each.bytes);
    }
    for (const [name, bytes] of content) {
      if (!SAFE_NAME.test(name)) throw new TsignError("untrusted", `TUF: invalid target name: "${name}"`);
      await replace(io, `${folder}/targets/${name}`, bytes);
    }
    await replace(io, `${folder}/root.json`, root.bytes);
    await replace(io, `${folder}/targets.json`, targets.bytes);
    await replace(io, `${folder}/snapshot.json`, snapshot.bytes);
    await replace(io, `${folder}/timestamp.json`, timestamp.bytes);
    const state = JSON.stringify({ lastTimestamp: io.now().toISOString() });
    await io.files.replace(`${folder}.json`, state, { mode: 0o600 });
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    warnOnce(io, `cannot cache trust material: ${error.message}`);
  }
}

/** Writes a file unless it already has that content, so that parallel runs rarely write. */
async function replace(io: CacheIo, path: string, bytes: Uint8Array): Promise<void> {
  const known = await io.files.stat(path);
  if (known?.size === bytes.length) {
    const existing = await io.files.read(path, { maxBytes: bytes.length });
    if (Buffer.compare(existing, bytes) === 0) return;
  }
  await io.files.replace(path, bytes, { mode: 0o644 });
}

/** The warnings that were printed to each stream, so that a command with several targets prints each only once. */
const PRINTED = new WeakMap<CacheIo["stderr"], Set<string>>();

function warnOnce({ stderr }: CacheIo, text: string): void {
  const known = PRINTED.get(stderr) ?? new Set();
  PRINTED.set(stderr, known);
  if (!known.has(text)) stderr.write(`WARNING: ${text}\n`);
  known.add(text);
}
