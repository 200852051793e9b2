import { timingSafeEqual } from "node:crypto";
import { type SignedEntity, VerificationError, Verifier } from "@sigstore/verify";
import { verifyTLogInclusion } from "@sigstore/verify/dist/tlog/index.js";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import { type HashName, hash, type Message } from "../format/digest.ts";
import { sameKey, verifySignature } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { checkpointName } from "./checkpoint.ts";
import { refuseFileSignature } from "./claims.ts";
import { isOfWholeEnvelope, type KnownEntry, verifyWholeEnvelope } from "./log.ts";
import { CheckFailed, type CheckName, type Subject } from "./model.ts";

const HASH_BY_LENGTH: Readonly<Record<number, HashName>> = { 32: "sha256", 48: "sha384", 64: "sha512" };

/**
 * The message a signature covers: the simple-signing payload, the DSSE pre-authentication encoding, or the blob itself.
 *
 * @throws CheckFailed for the signature of a file where an image is verified
 */
export function signedMessage(content: Evidence["content"], subject: Subject): Message {
  refuseFileSignature(content, subject);
  const own = ownMessage(content);
  if (own) return own;
  if (subject.kind === "blob") return subject.message;
  throw new TsignError("internal", "an image is not signed as a file");
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
  const library = new LibraryCalls();
  const entity: SignedEntity = {
    key: { $case: "public-key", hint: "" },
    timestamps: [], // src/verify/verify.ts has judged them
    tlogEntries: ofSignature.map(({ entry }) => entry),
    signature: {
      signature: Buffer.from(content.signature),
      compareSignature: library.ours((other) => sameBytes(content.signature, other)),
      compareDigest: library.ours(
        (other) => content.kind === "dsse" && sameBytes(hash("sha256", content.payload), other),
      ),
      compareSignedDigest: library.ours((other) => isDigestOf(message, other)),
      verifySignature: library.ours((with_) => valid && sameKey(with_, key.object)),
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
  for (const { entry } of ofEnvelope) {
    library.run(() => verifyTLogInclusion(entry, trust.tlogs), { entries: true });
    verifyWholeEnvelope(entry, evidence);
  }
  library.run(() => new Verifier(trust, thresholds).verify(entity), { entries: entries.length > 0 });
}

/**
 * Calls into @sigstore/verify. A log entry's body or proof that lacks a field of its kind makes the library throw errors of
 * JavaScript's own, which say that the entry cannot be read. What our own functions throw while the library calls them is no
 * such thing, and is thrown on as it is.
 */
class LibraryCalls {
  #thrownByUs: { error: unknown } | undefined;

  /** A function of ours that the library calls. */
  ours<Argument>(check: (argument: Argument) => boolean): (argument: Argument) => boolean {
    return (argument) => {
      try {
        return check(argument);
      } catch (error) {
        this.#thrownByUs = { error };
        throw error;
      }
    };
  }

  /**
   * @param options.entries whether there are log entries to read
   * @throws CheckFailed
   */
  run(call: () => void, options: { entries: boolean }): void {
    try {
      call();
    } catch (error) {
      if (this.#thrownByUs) throw this.#thrownByUs.error;
      if (!(error instanceof VerificationError)) {
        if (!options.entries) throw error;
        throw new CheckFailed("log", "the log entry cannot be read");
      }
      const step = stepOf(error.code);
      throw new CheckFailed(step, step === "signature" ? "not made by this key over this content" : error.message);
    }
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
