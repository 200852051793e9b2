import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { Metadata, type MetadataKind, type Root, type Snapshot, type Targets, type Timestamp } from "@tufjs/models";
import { TsignError } from "../../errors.ts";
import { ed25519PublicKey } from "../../format/ed25519.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { faultOf } from "../../format/key-fault.ts";

/** Bytes of the largest metadata file of each role (go-tuf's defaults). */
export const MAX_METADATA = { root: 512_000, timestamp: 16_384, snapshot: 2_000_000, targets: 5_000_000 } as const;
/**
 * Largest number of members of an object and of items of a list. @tufjs/models takes quadratic time for them, before any
 * signature is checked. The public repository has a dozen.
 */
const MAX_MEMBERS = 1000;
/** Largest number of root rotations to follow at once. */
export const MAX_ROTATIONS = 256;

export interface Kinds {
  root: Root;
  timestamp: Timestamp;
  snapshot: Snapshot;
  targets: Targets;
}

/** The metadata of a role, and the bytes it was read from. */
export interface Read<K extends keyof Kinds> {
  readonly metadata: Metadata<Kinds[K]>;
  readonly bytes: Uint8Array;
}

/** Builds the error for TUF metadata or a target that does not verify. */
export function untrusted(reason: string, cause?: unknown): TsignError {
  return new TsignError("untrusted", `TUF: ${reason}`, { cause });
}

/**
 * Parses metadata, without verifying its signatures.
 *
 * @throws TsignError "untrusted" for malformed metadata
 */
export function readMetadata<K extends keyof Kinds>(kind: K, bytes: Uint8Array): Read<K> {
  try {
    const json = parseJson(bytes, `${kind}.json`);
    if (!isObject(json)) throw new Error("not a JSON object");
    if (hasTooMany(json)) throw untrusted(`${kind}.json has a list with more than ${MAX_MEMBERS} items`);
    const metadata = Metadata.fromJSON(kind as MetadataKind.Root, json as Parameters<typeof Metadata.fromJSON>[1]);
    return { metadata: metadata as unknown as Metadata<Kinds[K]>, bytes };
  } catch (cause) {
    throw cause instanceof TsignError && cause.code === "untrusted"
      ? cause
      : untrusted(`${kind}.json is malformed`, cause);
  }
}

function hasTooMany(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const members = Object.values(value);
  return members.length > MAX_MEMBERS || members.some(hasTooMany);
}

/**
 * Verifies that enough keys of the role have signed the metadata (TUF specification, 5.3.4), and that no key of the role is
 * unsafe.
 *
 * @throws TsignError "untrusted"
 */
export function requireSigned<K extends keyof Kinds>(root: Metadata<Root>, kind: K, read: Read<K>): void {
  for (const id of root.signed.roles[kind]?.keyIDs ?? []) requireSafeKey(id, root.signed.keys[id]?.keyVal.public ?? "");
  try {
    root.verifyDelegate(kind, read.metadata);
  } catch (cause) {
    throw untrusted(`${kind}.json is not signed by enough keys of the root`, cause);
  }
}

/** Refuses an unsafe key. @param text PEM, or the hex of an Ed25519 key; anything else is ignored, as it cannot verify */
function requireSafeKey(id: string, text: string): void {
  let key: KeyObject;
  try {
    key = /^[0-9a-f]{64}$/i.test(text) ? ed25519PublicKey(Buffer.from(text, "hex")) : createPublicKey(text);
  } catch {
    return;
  }
  const fault = faultOf(key);
  if (fault) throw untrusted(`unusable key ${id.slice(0, 64)} in the root: ${fault}`);
}

/** Checks version, length and hashes of a file against the metadata that lists it. @throws TsignError "untrusted" */
export function requireMeta<K extends "snapshot" | "targets">(
  kind: K,
  meta: { version: number; length?: number; hashes?: Record<string, string> },
  read: Read<K>,
): void {
  const { version } = read.metadata.signed;
  if (version !== meta.version) throw untrusted(`${kind}.json version mismatch: got ${version}, want ${meta.version}`);
  requireContent(`${kind}.json`, read.bytes, meta);
}

/**
 * Checks length and hashes, if they are given.
 *
 * @throws TsignError "untrusted"
 */
export function requireContent(
  name: string,
  bytes: Uint8Array,
  expected: { length?: number; hashes?: Record<string, string> },
): void {
  if (expected.length !== undefined && expected.length !== bytes.length) {
    throw untrusted(`${name} size mismatch: got ${bytes.length} bytes, want ${expected.length}`);
  }
  for (const [algorithm, hex] of Object.entries(expected.hashes ?? {})) {
    if (algorithm !== "sha256" && algorithm !== "sha512")
      throw untrusted(`${name} has an unsupported hash: ${algorithm}`);
    const actual = createHash(algorithm).update(bytes).digest("hex");
    if (actual !== hex) throw untrusted(`${name} ${algorithm} mismatch: got ${actual}, want ${hex}`);
  }
}
