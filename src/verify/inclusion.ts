import { type SignedEntity, VerificationError } from "@sigstore/verify";
import { verifyTLogBody, verifyTLogInclusion } from "@sigstore/verify/dist/tlog/index.js";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { sameBytes } from "../format/bytes.ts";
import { type HashName, hash, type Message } from "../format/digest.ts";
import { checkpointName } from "./checkpoint.ts";
import { isOfWholeEnvelope, type KnownEntry, verifyWholeEnvelope } from "./log.ts";
import { CheckFailed } from "./model.ts";

/**
 * The adapter to @sigstore/verify, the only module that calls it. Two functions of the library are used, each for one entry
 * of a log: `verifyTLogInclusion` (SET, the checkpoint's signature, Merkle path) and `verifyTLogBody` (the body is about this
 * signature over this content). The package exports neither, hence the path into it; test/dependencies.test.ts says so when
 * a new version moves them. Its Verifier is not used: it would also check keys, times and the signature, which
 * src/verify does by itself, for more kinds of keys and messages than the library knows.
 */

type TLogs = Parameters<typeof verifyTLogInclusion>[1];

/** What `verifyTLogBody` compares an entry's body with. */
type LoggedContent = SignedEntity["signature"];

const HASH_BY_LENGTH: Readonly<Record<number, HashName>> = { 32: "sha256", 48: "sha384", 64: "sha512" };
const END_OF_TIME = new Date(8_640_000_000_000_000);

/**
 * Checks that the log has the entry: by its signed promise (SET), by the Merkle path to its checkpoint, or by both where
 * both are there.
 *
 * @throws CheckFailed for an entry with neither, and where one does not hold
 */
export function verifyInclusion({ entry, log }: KnownEntry): void {
  const { start, end = END_OF_TIME } = log.validFor;
  const logs: TLogs = [
    {
      baseURL: checkpointName(entry, log), // the library compares it with the checkpoint's origin
      logID: Buffer.from(log.id),
      publicKey: log.key,
      validFor: { start, end },
    },
  ];
  byLibrary(() => verifyTLogInclusion(entry, logs));
}

/**
 * Checks that an entry's body is about this signature over this content. An entry of a whole envelope names no signature, and
 * the library does not know it: it is compared with the envelope here.
 *
 * @param signed.message what the signature covers
 * @throws CheckFailed
 */
export function verifyBody({ entry }: KnownEntry, signed: { evidence: Evidence; message: Message }): void {
  const { evidence, message } = signed;
  if (isOfWholeEnvelope(entry)) {
    verifyWholeEnvelope(entry, evidence);
    return;
  }
  const { content } = evidence;
  const logged: LoggedContent = {
    signature: Buffer.from(content.signature),
    compareSignature: (other) => sameBytes(content.signature, other),
    compareDigest: (other) => content.kind === "dsse" && sameBytes(hash("sha256", content.payload), other),
    compareSignedDigest: (other) => ours(() => isDigestOf(message, other)),
    verifySignature: () => ours(notAsked),
  };
  byLibrary(() => verifyTLogBody(entry, logged));
}

function notAsked(): never {
  throw new TsignError("internal", "@sigstore/verify checks a signature where it should compare a log entry's body");
}

/**
 * Checks that no entry is there twice.
 *
 * @throws CheckFailed
 */
export function refuseDuplicates(entries: readonly KnownEntry[]): void {
  const named = entries.filter(({ entry }) => !isOfWholeEnvelope(entry));
  const distinct = new Set(
    named.map(({ entry, log }) => `${hexOf(log.id)} ${hexOf(hash("sha256", entry.canonicalizedBody))}`),
  );
  if (distinct.size < named.length) throw new CheckFailed("log", "duplicate tlog entry");
}

/**
 * Runs a function of the library. It throws errors of JavaScript's own, such as a TypeError, for a body or proof that lacks a
 * field of its kind; what our own functions throw while it calls them is no such thing.
 */
function byLibrary(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof OwnFailure) throw error.cause;
    throw new CheckFailed("log", error instanceof VerificationError ? error.message : "the log entry cannot be read");
  }
}

/** Carries an error of ours through the library. */
class OwnFailure extends Error {}

function ours<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new OwnFailure("", { cause });
  }
}

/** A log entry's digest is made by the hash that its length says; the message must have been hashed with that. */
function isDigestOf(message: Message, digest: Uint8Array): boolean {
  const name = HASH_BY_LENGTH[digest.length];
  return name !== undefined && message.hashes.includes(name) && sameBytes(message.digest(name), digest);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
