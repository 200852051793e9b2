import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { MAX_METADATA } from "./metadata.ts";
import type { Known, Repository, Source } from "./workflow.ts";

type CacheIo = Pick<Io, "env" | "files" | "stderr" | "now">;

/** Longest target that is kept, in bytes. */
const MAX_TARGET = 16 * 1024 * 1024;
/** Names that are files everywhere: no separator, no drive, no device, nothing hidden. */
const SAFE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * What is kept of a TUF repository between runs, in cosign's layout, so that both programs use one cache: the latest
 * metadata, the targets, and besides every root on the way, which makes it possible to follow a rotation offline.
 */
export interface Cache {
  readonly known: Known;
  readonly root: Uint8Array | undefined;
  /** The cache as a source of its own, for when the mirror cannot be reached. */
  readonly source: Source;
  target(name: string): Promise<Uint8Array | undefined>;
  /** Writes all or, where that fails, warns: a cache that cannot be written denies nobody a verification. */
  keep(repository: Repository, targets: ReadonlyMap<string, Uint8Array>): Promise<void>;
}

/** The folder of all caches: $TUF_ROOT, else ~/.sigstore/root. */
export function cacheFolder(io: Pick<Io, "env">): string {
  return io.env["TUF_ROOT"] || `${io.env["HOME"] ?? ""}/.sigstore/root`;
}

/**
 * Why nothing can be kept there: there is no home folder, or not where HOME says. A home is never made: whoever runs without
 * one does not expect files in the root folder, or a folder of a name that was mistyped.
 *
 * @returns undefined where there is a place
 */
export async function noPlaceToKeep(io: Pick<Io, "env" | "files">): Promise<string | undefined> {
  const { TUF_ROOT: named, HOME: home } = io.env;
  if (named) return undefined;
  if (!home) return "HOME is not set";
  return (await io.files.stat(home))?.kind === "directory" ? undefined : `HOME names ${home}, which is no folder`;
}

/** The name of a mirror's folder: its host and path, as sigstore-go names it. */
function mirrorFolder(mirror: URL): string {
  const path = `${mirror.host}${mirror.pathname}`.replace(/\/+$/, "");
  return path.toLowerCase().replaceAll(/[/:]/g, "-");
}

/**
 * The folder that is there already, else the usual one: sigstore-go makes the name of the address as it was spelt, so that a final
 * slash or the usual port is part of it.
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
 * Opens what is kept of a mirror; nothing of it is trusted yet.
 *
 * @param options.usual whether the folder of the usual name is meant, also where only another spelling's is there
 */
export async function openCache(io: CacheIo, mirror: URL, options: { usual?: boolean } = {}): Promise<Cache> {
  const folder = options.usual ? `${cacheFolder(io)}/${mirrorFolder(mirror)}` : await existingFolder(io, mirror);
  const read = async (name: string, maxBytes: number): Promise<Uint8Array | undefined> => {
    try {
      return (await io.files.stat(`${folder}/${name}`)) && (await io.files.read(`${folder}/${name}`, { maxBytes }));
    } catch (error) {
      if (error instanceof TsignError) return undefined; // unreadable is as good as absent
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

function cacheSource(kept: {
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
    throw new TsignError("input", `${kept.folder} has no ${name}`);
  };
  return {
    async root(version) {
      const passed = await kept.read(`root_history/${version}.root.json`, MAX_METADATA.root);
      if (passed) return passed;
      return kept.root && versionOf(kept.root) === version ? kept.root : undefined;
    },
    timestamp: async () => present(kept.timestamp, "timestamp.json"),
    metadata: async (kind) => present(kept[kind], `${kind}.json`),
    target: async (name) => present(await kept.target(name), `targets/${name}`),
  };
}

function versionOf(root: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(root).toString("utf8")).signed.version;
  } catch {
    return undefined;
  }
}

/** Metadata last and the timestamp at the very end: whoever reads meanwhile finds old and new files that fit together. */
async function keep(
  io: CacheIo,
  by: { folder: string; repository: Repository; content: ReadonlyMap<string, Uint8Array> },
): Promise<void> {
  const { folder, repository, content } = by;
  const { rotations, root, timestamp, snapshot, targets } = repository;
  const reason = await noPlaceToKeep(io);
  if (reason !== undefined) {
    warnOnce(io, `trust material is not kept for the next run: ${reason}; TUF_ROOT names a folder for it`);
    return;
  }
  try {
    await io.files.makeDirectory(`${folder}/targets`);
    if (rotations.length > 0) await io.files.makeDirectory(`${folder}/root_history`);
    for (const each of rotations) {
      await replace(io, `${folder}/root_history/${each.metadata.signed.version}.root.json`, each.bytes);
    }
    for (const [name, bytes] of content) {
      if (!SAFE_NAME.test(name)) throw new TsignError("untrusted", `TUF: a target is named "${name}"`);
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
    warnOnce(io, `trust material could not be kept for the next run: ${error.message}`);
  }
}

/** Writes a file unless it has that content already: parallel runs then write next to nothing. */
async function replace(io: CacheIo, path: string, bytes: Uint8Array): Promise<void> {
  const known = await io.files.stat(path);
  if (known?.size === bytes.length) {
    const existing = await io.files.read(path, { maxBytes: bytes.length });
    if (Buffer.compare(existing, bytes) === 0) return;
  }
  await io.files.replace(path, bytes, { mode: 0o644 });
}

/** The warnings that each command has printed: it may fetch several targets, and keep none. */
const WARNED = new WeakMap<CacheIo["stderr"], Set<string>>();

function warnOnce({ stderr }: CacheIo, text: string): void {
  const known = WARNED.get(stderr) ?? new Set();
  WARNED.set(stderr, known);
  if (!known.has(text)) stderr.write(`WARNING: ${text}\n`);
  known.add(text);
}
