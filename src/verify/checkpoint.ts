import { verify as verifyBytes } from "node:crypto";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { decodeBase64 } from "../format/base64.ts";
import { sameBytes } from "../format/bytes.ts";
import type { Log } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";

/** First line of a Rekor v1 checkpoint: a name and the id of the tree. */
const V1_ORIGIN = /^(\S+) - [0-9]+$/;
const SIGNATURE_LINE = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/;
/** Bytes of a signature line that name the key (C2SP signed-note, "Signatures"). */
const HINT_LENGTH = 4;
const HASH_LENGTH = 32;
const MAX_SIGNATURES = 100;

/** A checkpoint (C2SP tlog-checkpoint), nothing of it verified. */
interface Checkpoint {
  /** What is signed: everything up to the empty line. */
  readonly text: string;
  readonly origin: string;
  /** Decimal. */
  readonly size: string;
  readonly root: Uint8Array;
  readonly signatures: readonly { readonly name: string; readonly hint: Uint8Array; readonly bytes: Uint8Array }[];
}

/** The name a log's checkpoint must be signed with: of Rekor v1 the one in its origin, of v2 the log's host. */
export function checkpointName(entry: TransparencyLogEntry, log: Log): string {
  const [origin = ""] = (entry.inclusionProof?.checkpoint?.envelope ?? "").split("\n", 1);
  return V1_ORIGIN.exec(origin)?.[1] ?? hostOf(log);
}

/**
 * Checks that the checkpoint an entry's inclusion proof leads to is the log's own, and is about the tree that the proof says.
 * Whether the entry is in that tree is left to @sigstore/verify.
 *
 * Rekor v1 signs its checkpoints alone, so every signature must be its; to those of v2 witnesses add theirs, which are
 * passed over.
 *
 * @throws CheckFailed
 */
export function verifyCheckpoint(entry: TransparencyLogEntry, log: Log): void {
  const proof = entry.inclusionProof;
  if (!proof) return;
  const envelope = proof.checkpoint?.envelope ?? "";
  if (envelope === "") {
    throw new CheckFailed(
      "log",
      "its inclusion proof has no checkpoint; `tsign bundle upgrade` fetches one from the log",
    );
  }
  const checkpoint = parseCheckpoint(envelope);
  const { origin, size, root, signatures } = checkpoint;
  const isV1 = V1_ORIGIN.test(origin);
  const name = checkpointName(entry, log);
  if (!isV1 && origin !== name) throw new CheckFailed("log", `the checkpoint is of "${origin}", not of ${log.baseUrl}`);
  // Rekor v1 counts on through several trees, and its promise covers the count; v2 has one tree, and no promise.
  const [counted, inTree] = [Number(entry.logIndex), Number(proof.logIndex)];
  if (isV1 ? counted < inTree : counted !== inTree) {
    throw new CheckFailed("log", `the entry has the index ${entry.logIndex}, its inclusion proof ${proof.logIndex}`);
  }
  const hint = log.id.subarray(0, HINT_LENGTH);
  const own = isV1 ? signatures : signatures.filter((each) => each.name === name && sameBytes(each.hint, hint));
  const isOwn = (each: Checkpoint["signatures"][number]) =>
    each.name === name && sameBytes(each.hint, hint) && isSigned(checkpoint.text, log, each.bytes);
  if (own.length === 0 || !own.every(isOwn)) throw new CheckFailed("log", `the checkpoint is not signed by ${name}`);
  if (proof.treeSize !== size || !sameBytes(proof.rootHash, root)) {
    throw new CheckFailed("log", "the inclusion proof is for another tree than the checkpoint");
  }
}

/** Signed notes are read strictly: whatever two readers could split differently is refused. */
function parseCheckpoint(envelope: string): Checkpoint {
  const unreadable = (what: string) => new CheckFailed("log", `the checkpoint ${what}`);
  if (/[\x00-\x09\x0b-\x1f\x7f]/.test(envelope)) throw unreadable("has control characters");
  const end = envelope.indexOf("\n\n");
  if (end < 0 || end !== envelope.lastIndexOf("\n\n") || !envelope.endsWith("\n")) {
    throw unreadable("has not one text with signatures below it");
  }
  const text = envelope.slice(0, end + 1);
  const [origin = "", size = "", encodedRoot = ""] = text.split("\n");
  const root = decodeBase64(encodedRoot);
  if (origin === "" || !/^(0|[1-9]\d{0,15})$/.test(size)) throw unreadable("has no tree size");
  if (!root || root.length !== HASH_LENGTH || encodedRoot !== Buffer.from(root).toString("base64")) {
    throw unreadable("has no root hash");
  }
  const lines = envelope.slice(end + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw unreadable(`has more than ${MAX_SIGNATURES} signatures`);
  const signatures = lines.map((line) => {
    const [, name = "", encoded = ""] = SIGNATURE_LINE.exec(line) ?? [];
    const bytes = decodeBase64(encoded) ?? new Uint8Array();
    if (bytes.length <= HINT_LENGTH || encoded.length % 4 !== 0)
      throw unreadable("has a signature that cannot be read");
    return { name, hint: bytes.subarray(0, HINT_LENGTH), bytes: bytes.subarray(HINT_LENGTH) };
  });
  return { text, origin, size, root, signatures };
}

/** ECDSA and RSA over SHA-256, Ed25519 over the text itself. */
function isSigned(text: string, { key }: Log, signature: Uint8Array): boolean {
  const hash = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  try {
    return verifyBytes(hash, Buffer.from(text), key, signature);
  } catch {
    return false; // an encoding OpenSSL refuses
  }
}

function hostOf({ baseUrl }: Log): string {
  return URL.parse(baseUrl)?.hostname ?? "";
}
