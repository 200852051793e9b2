import type { Metadata, Root } from "@tufjs/models";
import { withHint } from "../../errors.ts";
import {
  type Kinds,
  MAX_ROTATIONS,
  type Read,
  readMetadata,
  requireContent,
  requireMeta,
  requireSigned,
  untrusted,
} from "./metadata.ts";

/** A source of metadata and targets: a mirror, or its cache. */
export interface Source {
  /** Returns the root with a version; undefined if it does not exist. */
  root(version: number): Promise<Uint8Array | undefined>;
  timestamp(): Promise<Uint8Array>;
  /** @param version part of the file name, in a repository with consistent snapshots */
  metadata(kind: "snapshot" | "targets", version: number | undefined): Promise<Uint8Array>;
  /** @param hash part of the file name, in a repository with consistent snapshots */
  target(name: string, expected: { hash: string | undefined; length: number }): Promise<Uint8Array>;
}

/** Metadata that was accepted before; new metadata must not be older. */
export interface Known {
  readonly timestamp: Uint8Array | undefined;
  readonly snapshot: Uint8Array | undefined;
  readonly targets: Uint8Array | undefined;
}

/** The verified metadata of a repository. */
export interface Repository {
  readonly root: Read<"root">;
  /** The roots after the trusted one, oldest first. */
  readonly rotations: readonly Read<"root">[];
  readonly timestamp: Read<"timestamp">;
  readonly snapshot: Read<"snapshot">;
  readonly targets: Read<"targets">;
}

/**
 * Updates the metadata of a TUF repository, from a trusted root to its targets (TUF specification, 5.3 to 5.6).
 *
 * @param options.anchor bytes of the trusted root
 * @param options.now the time to check expiry at
 * @throws TsignError "untrusted" for metadata that does not verify, and what the source throws
 */
export async function followRepository(
  source: Source,
  options: { anchor: Uint8Array; known: Known; now: Date },
): Promise<Repository> {
  const { known, now } = options;
  const { root, rotations } = await followRoot(source, options.anchor);
  requireCurrent("root", root, now);
  const keys = root.metadata;
  const before = rememberKnown(keys, known);
  const timestamp = await nextTimestamp(source, keys, before.timestamp);
  requireCurrent("timestamp", timestamp, now);
  const consistent = keys.signed.consistentSnapshot;
  const snapshotMeta = timestamp.metadata.signed.snapshotMeta;
  const snapshot =
    reusable(before.snapshot, snapshotMeta) ??
    (await fetchListed(source, keys, { kind: "snapshot", meta: snapshotMeta, consistent }));
  requireNoRollback(snapshot, before.snapshot);
  requireCurrent("snapshot", snapshot, now);
  const targetsMeta = snapshot.metadata.signed.meta["targets.json"];
  if (!targetsMeta) throw untrusted("snapshot.json does not list targets.json");
  const targets =
    reusable(before.targets, targetsMeta) ??
    (await fetchListed(source, keys, { kind: "targets", meta: targetsMeta, consistent }));
  requireCurrent("targets", targets, now);
  return { root, rotations, timestamp, snapshot, targets };
}

/** Follows root rotations: each root must be signed by the one before it and by itself, with the next version (5.3). */
async function followRoot(
  source: Source,
  anchor: Uint8Array,
): Promise<{ root: Read<"root">; rotations: Read<"root">[] }> {
  let root = readMetadata("root", anchor);
  requireSigned(root.metadata, "root", root);
  const rotations: Read<"root">[] = [];
  for (;;) {
    const version = root.metadata.signed.version + 1;
    const bytes = await source.root(version);
    if (!bytes) return { root, rotations };
    if (rotations.length === MAX_ROTATIONS) throw untrusted(`more than ${MAX_ROTATIONS} root rotations`);
    const next = readMetadata("root", bytes);
    requireSigned(root.metadata, "root", next);
    requireSigned(next.metadata, "root", next);
    const { version: actual } = next.metadata.signed;
    if (actual !== version) throw untrusted(`${version}.root.json version mismatch: got ${actual}, want ${version}`);
    rotations.push(next);
    root = next;
  }
}

/** Reads metadata and verifies its signatures. @throws TsignError "untrusted" */
function readSigned<K extends keyof Kinds>(keys: Metadata<Root>, kind: K, bytes: Uint8Array): Read<K> {
  const read = readMetadata(kind, bytes);
  requireSigned(keys, kind, read);
  return read;
}

/** The cached metadata that is signed by keys of the current root; its signatures are verified once. */
interface Before {
  readonly timestamp: Read<"timestamp"> | undefined;
  readonly snapshot: Read<"snapshot"> | undefined;
  readonly targets: Read<"targets"> | undefined;
}

/** Returns the cached metadata that is signed by keys of the current root. After a key rotation the rest is ignored. */
function rememberKnown(keys: Metadata<Root>, known: Known): Before {
  const remember = <K extends keyof Kinds>(kind: K, bytes: Uint8Array | undefined): Read<K> | undefined => {
    if (!bytes) return undefined;
    try {
      return readSigned(keys, kind, bytes);
    } catch {
      return undefined; // a damaged or foreign file, which is replaced
    }
  };
  return {
    timestamp: remember("timestamp", known.timestamp),
    snapshot: remember("snapshot", known.snapshot),
    targets: remember("targets", known.targets),
  };
}

async function nextTimestamp(
  source: Source,
  keys: Metadata<Root>,
  before: Read<"timestamp"> | undefined,
): Promise<Read<"timestamp">> {
  const bytes = await source.timestamp();
  const isSame = before !== undefined && Buffer.compare(before.bytes, bytes) === 0;
  const timestamp = isSame ? before : readSigned(keys, "timestamp", bytes);
  const { signed } = timestamp.metadata;
  const known = before?.metadata.signed;
  if (known && (signed.version < known.version || signed.snapshotMeta.version < known.snapshotMeta.version)) {
    throw untrusted(
      `timestamp.json is older than the one seen before (rollback): version ${signed.version} after ${known.version}`,
    );
  }
  return timestamp;
}

/** Fetches metadata and checks that it is the listed file and that it is signed. */
async function fetchListed<K extends "snapshot" | "targets">(
  source: Source,
  keys: Metadata<Root>,
  { kind, meta, consistent }: { kind: K; meta: Listed; consistent: boolean },
): Promise<Read<K>> {
  const read = readMetadata(kind, await source.metadata(kind, consistent ? meta.version : undefined));
  requireMeta(kind, meta, read);
  requireSigned(keys, kind, read);
  return read;
}

/** What metadata says about a file that it lists. */
interface Listed {
  readonly version: number;
  readonly length?: number;
  readonly hashes?: Record<string, string>;
}

/** Returns the cached metadata if it matches the expected version, length and hashes. */
function reusable<K extends "snapshot" | "targets">(before: Read<K> | undefined, meta: Listed): Read<K> | undefined {
  if (before?.metadata.signed.version !== meta.version) return undefined;
  try {
    requireContent("", before.bytes, meta);
    return before;
  } catch {
    return undefined;
  }
}

/** Checks that no file of the old snapshot is missing or older in the new one (5.5.5). */
function requireNoRollback(snapshot: Read<"snapshot">, before: Read<"snapshot"> | undefined): void {
  for (const [name, { version }] of Object.entries(before?.metadata.signed.meta ?? {})) {
    const now = snapshot.metadata.signed.meta[name];
    if (!now || now.version < version)
      throw untrusted(`snapshot.json lists an older version of ${name} than before (rollback)`);
  }
}

function requireCurrent<K extends keyof Kinds>(kind: K, { metadata }: Read<K>, now: Date): void {
  const { expires, version } = metadata.signed;
  if (!metadata.signed.isExpired(now)) return;
  const hint = `update the mirror if it is your own, and check this machine's clock, which is at ${now.toISOString()}`;
  throw withHint(untrusted(`${kind}.json (version ${version}) expired at ${expires}`), hint);
}

/**
 * Returns the content of a target, verified against the targets metadata (5.7).
 *
 * @param options.kept a cached copy, used if it matches the metadata
 * @throws TsignError "untrusted"
 */
export async function fetchTarget(
  source: Source,
  repository: Repository,
  options: { name: string; kept: Uint8Array | undefined },
): Promise<Uint8Array> {
  const { name, kept } = options;
  const listed = repository.targets.metadata.signed.targets;
  const target = Object.hasOwn(listed, name) ? listed[name] : undefined;
  if (!target) throw untrusted(`${name} is not a target of the repository`);
  const { length, hashes } = target;
  if (Object.keys(hashes).length === 0) throw untrusted(`target ${name} has no hash`);
  if (kept) {
    try {
      requireContent(name, kept, { length, hashes });
      return kept;
    } catch {
      // another version, so it is fetched
    }
  }
  const hash = repository.root.metadata.signed.consistentSnapshot ? Object.values(hashes)[0] : undefined;
  const bytes = await source.target(name, { hash, length });
  requireContent(name, bytes, { length, hashes });
  return bytes;
}
