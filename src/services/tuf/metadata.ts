import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { Metadata, type MetadataKind, type Root, type Snapshot, type Targets, type Timestamp } from "@tufjs/models";
import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { faultOf } from "../../format/key-fault.ts";

/** Longest metadata of each role that is read, in bytes (go-tuf's defaults). */
export const MAX_METADATA = { root: 512_000, timestamp: 16_384, snapshot: 2_000_000, targets: 5_000_000 } as const;
/**
 * Most members of an object, and items of a list: @tufjs/models takes time that grows with their square, before any signature
 * was checked. The public repository has a dozen.
 */
const MAX_MEMBERS = 1000;
/** Most rotations of the root followed in one go. */
export const MAX_ROTATIONS = 256;

export interface Kinds {
  root: Root;
  timestamp: Timestamp;
  snapshot: Snapshot;
  targets: Targets;
}

/** A role's metadata with the bytes it was read from. */
export interface Read<K extends keyof Kinds> {
  readonly metadata: Metadata<Kinds[K]>;
  readonly bytes: Uint8Array;
}

/** What a TUF repository or cache said that does not hold; another source may be tried. */
export function untrusted(what: string, cause?: unknown): TsignError {
  return new TsignError("untrusted", `TUF: ${what}`, { cause });
}

/**
 * Reads metadata without believing it.
 *
 * @throws TsignError "untrusted"
 */
export function readMetadata<K extends keyof Kinds>(kind: K, bytes: Uint8Array): Read<K> {
  try {
    const json = parseJson(bytes, `${kind}.json`);
    if (!isObject(json)) throw new Error("it is no object");
    if (hasTooMany(json)) throw untrusted(`${kind}.json has a list of more than ${MAX_MEMBERS}`);
    const metadata = Metadata.fromJSON(kind as MetadataKind.Root, json as Parameters<typeof Metadata.fromJSON>[1]);
    return { metadata: metadata as unknown as Metadata<Kinds[K]>, bytes };
  } catch (cause) {
    throw cause instanceof TsignError && cause.code === "untrusted"
      ? cause
      : untrusted(`${kind}.json cannot be read`, cause);
  }
}

function hasTooMany(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const members = Object.values(value);
  return members.length > MAX_MEMBERS || members.some(hasTooMany);
}

/**
 * Checks that enough keys of the root's role have signed it (TUF specification, 5.3.4 and the like), none of which is one that
 * proves nothing.
 *
 * @throws TsignError "untrusted"
 */
export function requireSigned<K extends keyof Kinds>(root: Metadata<Root>, kind: K, read: Read<K>): void {
  for (const id of root.signed.roles[kind]?.keyIDs ?? [])
    requireSoundKey(id, root.signed.keys[id]?.keyVal.public ?? "");
  try {
    root.verifyDelegate(kind, read.metadata);
  } catch (cause) {
    throw untrusted(`${kind}.json is not signed by enough of the root's keys`, cause);
  }
}

/** @param text PEM, or the hex of an Ed25519 key; what is neither counts as no key when signatures are verified */
function requireSoundKey(id: string, text: string): void {
  let key: KeyObject;
  try {
    const spki = `302a300506032b6570032100${text}`;
    key = /^[0-9a-f]{64}$/i.test(text)
      ? createPublicKey({ key: Buffer.from(spki, "hex"), format: "der", type: "spki" })
      : createPublicKey(text);
  } catch {
    return;
  }
  const fault = faultOf(key);
  if (fault) throw untrusted(`the root's key ${id.slice(0, 64)} cannot be used: ${fault}`);
}

/** Checks that a file is what the metadata above it says: version, length, hashes. */
export function requireMeta(
  kind: "snapshot" | "targets",
  meta: { version: number; length?: number; hashes?: Record<string, string> },
  read: Read<"snapshot"> | Read<"targets">,
): void {
  const { version } = read.metadata.signed;
  if (version !== meta.version) throw untrusted(`${kind}.json has version ${version}, not ${meta.version}`);
  requireContent(`${kind}.json`, read.bytes, meta);
}

/**
 * Checks length and hashes, as far as they are given.
 *
 * @throws TsignError "untrusted"
 */
export function requireContent(
  name: string,
  bytes: Uint8Array,
  expected: { length?: number; hashes?: Record<string, string> },
): void {
  if (expected.length !== undefined && expected.length !== bytes.length) {
    throw untrusted(`${name} has ${bytes.length} bytes, not ${expected.length}`);
  }
  for (const [algorithm, hex] of Object.entries(expected.hashes ?? {})) {
    if (algorithm !== "sha256" && algorithm !== "sha512") throw untrusted(`${name} is hashed with ${algorithm}`);
    if (createHash(algorithm).update(bytes).digest("hex") !== hex) throw untrusted(`${name} has another ${algorithm}`);
  }
}
