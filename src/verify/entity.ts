import { timingSafeEqual } from "node:crypto";
import { type SignedEntity, VerificationError, Verifier } from "@sigstore/verify";
import { verifyTLogInclusion } from "@sigstore/verify/dist/tlog/index.js";
import type { Evidence } from "../evidence/model.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import { type HashName, hash, type Message, messageOfDigests, parseDigest } from "../format/digest.ts";
import { sameKey, verifySignature } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { checkpointName } from "./checkpoint.ts";
import { isOfWholeEnvelope, type KnownEntry, verifyWholeEnvelope } from "./log.ts";
import { CheckFailed, type CheckName, type Subject } from "./model.ts";

const HASH_BY_LENGTH: Readonly<Record<number, HashName>> = { 32: "sha256", 48: "sha384", 64: "sha512" };

/**
 * The message a signature covers: the simple-signing payload, the DSSE pre-authentication encoding, or the subject itself
 * (an image's signature covers its manifest, of which the digest is known).
 */
export function signedMessage(content: Evidence["content"], subject: Subject): Message {
  const own = ownMessage(content);
  if (own) return own;
  if (subject.kind === "blob") return subject.message;
  const { algorithm, bytes } = parseDigest(subject.digest);
  return messageOfDigests(new Map([[algorithm, bytes]]));
}

/**
 * Hands evidence to @sigstore/verify's Verifier: it checks that each log entry is included (SET, checkpoint, Merkle path),
 * that it is about this signature over this content, that none counts twice, and then the signature. The signature is ours
 * to check (the library knows no digest-only messages, Ed25519ph or second hash), and is checked before, because a large
 * message takes an asynchronous step; the library's SignatureContent then gives that outcome. What it knows no entry of, one
 * about a whole envelope, is held against the evidence here, with the library's check of its inclusion.
 *
 * @param options.entries each must hold; empty where the log is not checked
 * @throws CheckFailed naming the step that failed
 */
export async function verifyEntity(options: {
  evidence: Evidence;
  message: Message;
  key: PublicKey;
  hashes: readonly HashName[];
  entries: readonly KnownEntry[];
}): Promise<void> {
  const { evidence, message, key, hashes, entries } = options;
  const { content } = evidence;
  const known = hashes.filter((name) => message.hashes.includes(name));
  const ofSignature = entries.filter(({ entry }) => !isOfWholeEnvelope(entry));
  const ofEnvelope = entries.filter(({ entry }) => isOfWholeEnvelope(entry));
  const valid = await verifySignature({ key, message, signature: content.signature, hashes: known });
  const entity: SignedEntity = {
    key: { $case: "public-key", hint: "" },
    timestamps: [], // src/verify/verify.ts has judged them
    tlogEntries: ofSignature.map(({ entry }) => entry),
    signature: {
      signature: Buffer.from(content.signature),
      compareSignature: (other) => sameBytes(content.signature, other),
      compareDigest: (other) => content.kind === "dsse" && sameBytes(hash("sha256", content.payload), other),
      compareSignedDigest: (other) => isDigestOf(message, other),
      verifySignature: (with_) => valid && sameKey(with_, key.object),
    },
  };
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: entries.map(({ entry, log }) => ({
      baseURL: checkpointName(entry, log),
      logID: Buffer.from(log.id),
      publicKey: log.key,
      validFor: { start: log.validFor.start, end: log.validFor.end ?? new Date(8_640_000_000_000_000) },
    })),
    ctlogs: [],
    publicKey: () => ({ publicKey: key.object, validFor: () => true }),
  };
  const thresholds = { tlogThreshold: ofSignature.length, ctlogThreshold: 0, timestampThreshold: 0 };
  try {
    for (const { entry } of ofEnvelope) {
      verifyTLogInclusion(entry, trust.tlogs);
      verifyWholeEnvelope(entry, evidence);
    }
    new Verifier(trust, thresholds).verify(entity);
  } catch (error) {
    if (error instanceof CheckFailed) throw error;
    // A body or proof without the fields its kind has makes the library throw TypeErrors of its own.
    if (!(error instanceof VerificationError) && entries.length === 0) throw error;
    const step = error instanceof VerificationError ? stepOf(error.code) : "log";
    const reason = error instanceof VerificationError ? error.message : "the log entry cannot be read";
    throw new CheckFailed(step, step === "signature" ? "not made by this key over this content" : reason);
  }
}

function stepOf(code: VerificationError["code"]): CheckName {
  if (code === "SIGNATURE_ERROR") return "signature";
  if (code === "CERTIFICATE_ERROR" || code === "PUBLIC_KEY_ERROR") return "key";
  return "log";
}

/** A log entry's digest is of whichever hash its length says; one the message was not hashed with is not its own. */
function isDigestOf(message: Message, digest: Uint8Array): boolean {
  const name = HASH_BY_LENGTH[digest.length];
  return name !== undefined && message.hashes.includes(name) && sameBytes(message.digest(name), digest);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
