import { verify as verifyBytes } from "node:crypto";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { decodeBase64 } from "../format/base64.ts";
import { sameBytes } from "../format/bytes.ts";
import type { Log } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";

/** First line of a Rekor v1 checkpoint: the log's name and the tree ID. */
const V1_ORIGIN = /^(\S+) - [0-9]+$/;
const SIGNATURE_LINE = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/;
/** Bytes of a signature line that identify the key (C2SP signed-note, "Signatures"). */
const HINT_LENGTH = 4;
const HASH_LENGTH = 32;
const MAX_SIGNATURES = 100;

/** A parsed checkpoint (C2SP tlog-checkpoint), not verified. */
interface Checkpoint {
  /** The signed text: everything up to the empty line. */
  readonly text: string;
  readonly origin: string;
  /** Decimal. */
  readonly size: string;
  readonly root: Uint8Array;
  readonly signatures: readonly SignatureLine[];
}

interface SignatureLine {
  readonly name: string;
  readonly hint: Uint8Array;
  readonly bytes: Uint8Array;
}

/** The name that must sign a log's checkpoint: for Rekor v1 the name in the checkpoint's origin, for v2 the log's host. */
export function checkpointName(entry: TransparencyLogEntry, log: Log): string {
  const [origin = ""] = envelopeOf(entry).split("\n", 1);
  return signerName(origin, log);
}

/**
 * The trusted log that a Rekor v2 checkpoint names by its host and the hint of its key. Nothing is verified.
 *
 * @throws CheckFailed "log" for a malformed checkpoint
 */
export function logOfCheckpoint(entry: TransparencyLogEntry, logs: readonly Log[]): Log | undefined {
  const { origin, signatures } = parseCheckpoint(envelopeOf(entry));
  return logs.find((log) => hostOf(log) === origin && signatures.some((each) => namesLog(each, { name: origin, log })));
}

/**
 * Checks that the checkpoint of an entry's inclusion proof is signed by the log and is for the proof's tree. The Merkle path
 * from the entry to the tree's root is checked by @sigstore/verify.
 *
 * Only the log signs a Rekor v1 checkpoint, so every signature must be the log's. Witnesses may cosign those of v2; their
 * signatures are ignored.
 *
 * @throws CheckFailed "log"
 */
export function verifyCheckpoint(entry: TransparencyLogEntry, log: Log): void {
  const proof = entry.inclusionProof;
  if (!proof) return;
  const envelope = envelopeOf(entry);
  if (envelope === "") {
    throw new CheckFailed("log", "inclusion proof has no checkpoint", {
      hint: "fetch one from the log with `tsign bundle upgrade`",
    });
  }
  const checkpoint = parseCheckpoint(envelope);
  const { size, root } = checkpoint;
  requireOrigin(checkpoint, log);
  const isV1 = V1_ORIGIN.test(checkpoint.origin);
  // Rekor v1 numbers its entries across several trees, and its SET covers that number. v2 has one tree and no SET.
  const [counted, inTree] = [Number(entry.logIndex), Number(proof.logIndex)];
  if (isV1 ? counted < inTree : counted !== inTree) {
    throw new CheckFailed(
      "log",
      `log entry has index ${entry.logIndex}, but its inclusion proof is for index ${proof.logIndex}`,
    );
  }
  requireSignature(checkpoint, log);
  if (proof.treeSize !== size || !sameBytes(proof.rootHash, root)) {
    throw new CheckFailed("log", "inclusion proof and checkpoint are for different trees");
  }
}

/** The tree that a log has signed. */
export interface LogHead {
  /** The checkpoint as the log wrote it. */
  readonly envelope: string;
  /** Its signed text. */
  readonly text: string;
  /** The tree ID in the origin of a Rekor v1 checkpoint, decimal; undefined for v2. */
  readonly treeId: string | undefined;
  /** Entries. */
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * Checks that a checkpoint is signed by the log, as `verifyCheckpoint` does for that of an inclusion proof.
 *
 * @param api the version of the log's API: the origin of v1 contains a tree ID, that of v2 is the log's host
 * @throws CheckFailed "log"
 */
export function verifyLogHead(envelope: string, { log, api }: { log: Log; api: 1 | 2 }): LogHead {
  const checkpoint = parseCheckpoint(envelope);
  const { text, origin, size, root } = checkpoint;
  if (V1_ORIGIN.test(origin) !== (api === 1)) {
    throw new CheckFailed("log", `checkpoint is not from a Rekor v${api} log: its origin is "${origin}"`);
  }
  requireOrigin(checkpoint, log);
  requireSignature(checkpoint, log);
  if (!Number.isSafeInteger(Number(size))) throw new CheckFailed("log", `invalid checkpoint: tree size ${size}`);
  const treeId = api === 1 ? /\d+$/.exec(origin)?.[0] : undefined;
  return { envelope, text, treeId, size: Number(size), root };
}

/** The name that must sign a checkpoint with this origin. */
function signerName(origin: string, log: Log): string {
  return V1_ORIGIN.exec(origin)?.[1] ?? hostOf(log);
}

function requireOrigin({ origin }: Checkpoint, log: Log): void {
  const name = signerName(origin, log);
  if (V1_ORIGIN.test(origin) || origin === name) return;
  throw new CheckFailed("log", `checkpoint origin mismatch: got "${origin}", want "${name}"`, {
    expected: name,
    actual: origin,
  });
}

/** Requires the log's signature; in a Rekor v1 checkpoint every signature must be the log's. */
function requireSignature({ origin, text, signatures }: Checkpoint, log: Log): void {
  const name = signerName(origin, log);
  const own = V1_ORIGIN.test(origin) ? signatures : signatures.filter((each) => namesLog(each, { name, log }));
  const isOwn = (each: SignatureLine) => namesLog(each, { name, log }) && isSigned(text, log, each.bytes);
  if (own.length === 0 || !own.every(isOwn)) throw new CheckFailed("log", `checkpoint is not signed by ${name}`);
}

/** Whether a signature line names a log: its name, and the hint of its key. */
function namesLog(line: SignatureLine, { name, log }: { name: string; log: Log }): boolean {
  return line.name === name && sameBytes(line.hint, log.id.subarray(0, HINT_LENGTH));
}

function envelopeOf(entry: TransparencyLogEntry): string {
  return entry.inclusionProof?.checkpoint?.envelope ?? "";
}

/**
 * Parses a signed note strictly: a text that two parsers could split differently is refused. Nothing is verified.
 *
 * @throws CheckFailed "log"
 */
export function parseCheckpoint(envelope: string): Checkpoint {
  const invalid = (reason: string) => new CheckFailed("log", `invalid checkpoint: ${reason}`);
  if (/[\x00-\x09\x0b-\x1f\x7f]/.test(envelope)) throw invalid("contains control characters");
  const end = envelope.indexOf("\n\n");
  if (end < 0 || end !== envelope.lastIndexOf("\n\n") || !envelope.endsWith("\n")) {
    throw invalid("expected one text followed by signatures");
  }
  const text = envelope.slice(0, end + 1);
  const [origin = "", size = "", encodedRoot = ""] = text.split("\n");
  const root = decodeBase64(encodedRoot);
  if (origin === "" || !/^(0|[1-9]\d{0,15})$/.test(size)) throw invalid("missing or malformed tree size");
  if (!root || root.length !== HASH_LENGTH || encodedRoot !== Buffer.from(root).toString("base64")) {
    throw invalid("missing or malformed root hash");
  }
  const lines = envelope.slice(end + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw invalid(`more than ${MAX_SIGNATURES} signatures`);
  const signatures = lines.map((line) => {
    const [, name = "", encoded = ""] = SIGNATURE_LINE.exec(line) ?? [];
    const bytes = decodeBase64(encoded) ?? new Uint8Array();
    if (bytes.length <= HINT_LENGTH || encoded.length % 4 !== 0) throw invalid("malformed signature");
    return { name, hint: bytes.subarray(0, HINT_LENGTH), bytes: bytes.subarray(HINT_LENGTH) };
  });
  return { text, origin, size, root, signatures };
}

/** Verifies a checkpoint's signature: ECDSA and RSA over SHA-256, Ed25519 over the text itself. */
function isSigned(text: string, { key }: Log, signature: Uint8Array): boolean {
  const hash = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  try {
    return verifyBytes(hash, Buffer.from(text), key, signature);
  } catch {
    return false; // OpenSSL refuses the signature's encoding
  }
}

function hostOf({ baseUrl }: Log): string {
  return URL.parse(baseUrl)?.hostname ?? "";
}
