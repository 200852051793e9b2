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
 * The adapter to @sigstore/verify, and the only module that calls it. It uses two of the library's functions, each for one log
 * entry: `verifyTLogInclusion` (SET, checkpoint signature, Merkle path) and `verifyTLogBody` (the body matches the signature
 * and the content). The package does not export them, hence the deep import; test/dependencies.test.ts fails when a new version
 * moves them. The library's Verifier is not used: it also checks keys, times and signatures, which src/verify does itself, for
 * more kinds of keys and messages than the library supports.
 */

type TLogs = Parameters<typeof verifyTLogInclusion>[1];

/** What `verifyTLogBody` compares a log entry's body with. */
type LoggedContent = SignedEntity["signature"];

const HASH_BY_LENGTH: Readonly<Record<number, HashName>> = { 32: "sha256", 48: "sha384", 64: "sha512" };
const END_OF_TIME = new Date(8_640_000_000_000_000);

/**
 * Checks that the entry is in the log, by its signed entry timestamp (SET), its inclusion proof, or both if it has both.
 *
 * @throws CheckFailed "log" for an entry with neither, or with an invalid one
 */
export function verifyInclusion({ entry, log }: KnownEntry): void {
  const { start, end = END_OF_TIME } = log.validFor;
  const logs: TLogs = [
    {
      baseURL: checkpointName(entry, log), // compared with the checkpoint's origin
      logID: Buffer.from(log.id),
      publicKey: log.key,
      validFor: { start, end },
    },
  ];
  byLibrary(() => verifyTLogInclusion(entry, logs));
}

/**
 * Checks that an entry's body matches the signature and the signed content. An entry for a whole envelope (intoto 0.0.1)
 * contains no signature, and the library does not support it: it is compared with the envelope here.
 *
 * @param signed.message the message that the signature covers
 * @throws CheckFailed "log"
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
    compareSignedDigest: (other) => throughLibrary(() => isDigestOf(message, other)),
    verifySignature: () => throughLibrary(unexpectedCall),
  };
  byLibrary(() => verifyTLogBody(entry, logged));
}

function unexpectedCall(): never {
  throw new TsignError("internal", "@sigstore/verify called verifySignature while comparing a log entry's body");
}

/**
 * Checks that the entries are distinct.
 *
 * @throws CheckFailed "log" for a duplicate
 */
export function refuseDuplicates(entries: readonly KnownEntry[]): void {
  const withSignature = entries.filter(({ entry }) => !isOfWholeEnvelope(entry));
  const distinct = new Set(
    withSignature.map(({ entry, log }) => `${hexOf(log.id)} ${hexOf(hash("sha256", entry.canonicalizedBody))}`),
  );
  if (distinct.size < withSignature.length) throw new CheckFailed("log", "duplicate transparency log entry");
}

/**
 * Runs a function of the library. For a body or proof with a missing field it throws JavaScript's own errors, such as a
 * TypeError; these are failed checks, while an error from our own callbacks is thrown unchanged.
 */
function byLibrary(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof CallbackError) throw error.cause;
    throw new CheckFailed("log", error instanceof VerificationError ? error.message : "malformed log entry");
  }
}

/** Carries an error from one of our callbacks through the library. */
class CallbackError extends Error {}

function throughLibrary<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new CallbackError("", { cause });
  }
}

/** Whether a digest in a log entry is the message's. The digest's length identifies the hash. */
function isDigestOf(message: Message, digest: Uint8Array): boolean {
  const name = HASH_BY_LENGTH[digest.length];
  return name !== undefined && message.hashes.includes(name) && sameBytes(message.digest(name), digest);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
