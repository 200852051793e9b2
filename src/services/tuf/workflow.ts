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

/** Where metadata and targets are read: a mirror, or what was kept of it. */
export interface Source {
  /** The root of a version; undefined when there is none. */
  root(version: number): Promise<Uint8Array | undefined>;
  timestamp(): Promise<Uint8Array>;
  /** @param version in the file's name where the repository has consistent snapshots */
  metadata(kind: "snapshot" | "targets", version: number | undefined): Promise<Uint8Array>;
  /** @param hash in the file's name where the repository has consistent snapshots */
  target(name: string, expected: { hash: string | undefined; length: number }): Promise<Uint8Array>;
}

/** Metadata that was accepted before: newer ones may not fall behind it. */
export interface Known {
  readonly timestamp: Uint8Array | undefined;
  readonly snapshot: Uint8Array | undefined;
  readonly targets: Uint8Array | undefined;
}

/** What a repository says now, all of it verified. */
export interface Repository {
  readonly root: Read<"root">;
  /** Every root passed on the way, oldest first, without the one it began at. */
  readonly rotations: readonly Read<"root">[];
  readonly timestamp: Read<"timestamp">;
  readonly snapshot: Read<"snapshot">;
  readonly targets: Read<"targets">;
}

/**
 * Follows a TUF repository from a root that is trusted already to its list of targets (TUF specification, 5.3 to 5.6).
 *
 * @param options.anchor bytes of the trusted root
 * @param options.now what expiry is measured by
 * @throws TsignError "untrusted" for metadata that does not hold, and what the source throws
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
  const snapshot = readMetadata(
    "snapshot",
    reusable(before.snapshot, snapshotMeta) ??
      (await source.metadata("snapshot", consistent ? snapshotMeta.version : undefined)),
  );
  requireMeta("snapshot", snapshotMeta, snapshot);
  requireSigned(keys, "snapshot", snapshot);
  requireNoRollback(snapshot, before.snapshot);
  requireCurrent("snapshot", snapshot, now);
  const targetsMeta = snapshot.metadata.signed.meta["targets.json"];
  if (!targetsMeta) throw untrusted("snapshot.json does not name targets.json");
  const targets = readMetadata(
    "targets",
    reusable(before.targets, targetsMeta) ??
      (await source.metadata("targets", consistent ? targetsMeta.version : undefined)),
  );
  requireMeta("targets", targetsMeta, targets);
  requireSigned(keys, "targets", targets);
  requireCurrent("targets", targets, now);
  return { root, rotations, timestamp, snapshot, targets };
}

/** Each root is signed by the one before it and by itself, and its version is the next (5.3). */
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
    if (rotations.length === MAX_ROTATIONS) throw untrusted(`more than ${MAX_ROTATIONS} new roots`);
    const next = readMetadata("root", bytes);
    requireSigned(root.metadata, "root", next);
    requireSigned(next.metadata, "root", next);
    if (next.metadata.signed.version !== version) throw untrusted(`root ${version} says it is another version`);
    rotations.push(next);
    root = next;
  }
}

interface Before {
  readonly timestamp: Read<"timestamp"> | undefined;
  readonly snapshot: Read<"snapshot"> | undefined;
  readonly targets: Read<"targets"> | undefined;
}

/** What was kept counts only where the present root's keys have signed it: after a key is replaced, it starts anew. */
function rememberKnown(keys: Metadata<Root>, known: Known): Before {
  const remember = <K extends keyof Kinds>(kind: K, bytes: Uint8Array | undefined): Read<K> | undefined => {
    if (!bytes) return undefined;
    try {
      const read = readMetadata(kind, bytes);
      requireSigned(keys, kind, read);
      return read;
    } catch {
      return undefined; // a torn or foreign file; it is replaced
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
  const timestamp = readMetadata("timestamp", await source.timestamp());
  requireSigned(keys, "timestamp", timestamp);
  const { signed } = timestamp.metadata;
  const known = before?.metadata.signed;
  if (known && (signed.version < known.version || signed.snapshotMeta.version < known.snapshotMeta.version)) {
    throw untrusted(`timestamp.json is older than the one already seen (${signed.version}, ${known.version})`);
  }
  return timestamp;
}

/** The kept file, when it is the very one asked for. */
function reusable(
  before: Read<"snapshot"> | Read<"targets"> | undefined,
  meta: { version: number; length?: number; hashes?: Record<string, string> },
): Uint8Array | undefined {
  if (before?.metadata.signed.version !== meta.version) return undefined;
  try {
    requireContent("", before.bytes, meta);
    return before.bytes;
  } catch {
    return undefined;
  }
}

/** No file the old snapshot names may be gone or be older (5.5.5). */
function requireNoRollback(snapshot: Read<"snapshot">, before: Read<"snapshot"> | undefined): void {
  for (const [name, { version }] of Object.entries(before?.metadata.signed.meta ?? {})) {
    const now = snapshot.metadata.signed.meta[name];
    if (!now || now.version < version) throw untrusted(`snapshot.json takes ${name} back to an older version`);
  }
}

function requireCurrent<K extends keyof Kinds>(kind: K, { metadata }: Read<K>, now: Date): void {
  const { expires, version } = metadata.signed;
  if (!metadata.signed.isExpired(now)) return;
  const hint = `has the mirror been refreshed since? and is this machine's clock right: it says ${now.toISOString()}`;
  throw withHint(untrusted(`${kind}.json (version ${version}) expired at ${expires}`), hint);
}

/**
 * A target's content, as the repository lists it (5.7).
 *
 * @param options.kept a copy from before, used when it is the very one listed
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
  if (!target) throw untrusted(`the repository lists no ${name}`);
  const { length, hashes } = target;
  if (Object.keys(hashes).length === 0) throw untrusted(`${name} is listed without a hash`);
  if (kept) {
    try {
      requireContent(name, kept, { length, hashes });
      return kept;
    } catch {
      // not that one: it is fetched
    }
  }
  const hash = repository.root.metadata.signed.consistentSnapshot ? Object.values(hashes)[0] : undefined;
  const bytes = await source.target(name, { hash, length });
  requireContent(name, bytes, { length, hashes });
  return bytes;
}
