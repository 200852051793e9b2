import { timingSafeEqual } from "node:crypto";
import { type SignedEntity, VerificationError, Verifier } from "@sigstore/verify";
import type { Evidence } from "../evidence/model.ts";
import { hash, type Message, messageOf, messageOfDigests, parseDigest } from "../format/digest.ts";
import { preAuthEncoding } from "../format/dsse.ts";
import { verifySignature } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { CheckFailed, type CheckName, type Policy, type Subject } from "./model.ts";

/**
 * The message a signature covers: the simple-signing payload, the DSSE pre-authentication encoding, or the subject itself
 * (an image's signature covers its manifest, of which the digest is known).
 */
export function signedMessage(content: Evidence["content"], subject: Subject): Message {
  if (content.kind === "simple-signing") return messageOf(content.payload);
  if (content.kind === "dsse") return messageOf(preAuthEncoding(content.payloadType, content.payload));
  if (subject.kind === "blob") return subject.message;
  const { algorithm, bytes } = parseDigest(subject.digest);
  return messageOfDigests(new Map([[algorithm, bytes]]));
}

/**
 * Hands evidence to @sigstore/verify's Verifier, which checks in this order timestamps, key, log entries and signature.
 * The signature is ours to check (the library knows no digest-only messages, Ed25519ph or second hash), and is checked
 * before, because a large message takes an asynchronous step; the library's SignatureContent then gives that outcome.
 *
 * @throws CheckFailed naming the step that failed
 */
export async function verifyEntity(options: {
  evidence: Evidence;
  message: Message;
  key: PublicKey;
  hashes: Extract<Policy["signer"], { kind: "key" }>["hashes"];
}): Promise<void> {
  const { evidence, message, key, hashes } = options;
  const { content } = evidence;
  const known = hashes.filter((name) => message.hashes.includes(name));
  const valid = await verifySignature({ key, message, signature: content.signature, hashes: known });
  const entity: SignedEntity = {
    key: { $case: "public-key", hint: "" },
    timestamps: [], // the policy knows only "insecureSkip" for the log
    tlogEntries: [],
    signature: {
      signature: Buffer.from(content.signature),
      compareSignature: (other) => sameBytes(content.signature, other),
      compareDigest: (other) => content.kind === "dsse" && sameBytes(hash("sha256", content.payload), other),
      compareSignedDigest: (other) => sameBytes(message.digest("sha256"), other),
      verifySignature: (with_) => valid && with_.equals(key.object),
    },
  };
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey: key.object, validFor: () => true }),
  };
  try {
    new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(entity);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const step = stepOf(error.code);
    throw new CheckFailed(step, step === "signature" ? "not made by this key over this content" : error.message);
  }
}

function stepOf(code: VerificationError["code"]): CheckName {
  if (code === "SIGNATURE_ERROR") return "signature";
  if (code === "CERTIFICATE_ERROR" || code === "PUBLIC_KEY_ERROR") return "key";
  return "log";
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
