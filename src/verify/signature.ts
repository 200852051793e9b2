import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import type { Message } from "../format/digest.ts";
import { defaultHashes, verifySignature } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { refuseFileSignature, verifyStatedDigest } from "./claims.ts";
import { CheckFailed, type Policy, passed, type Step, type Subject } from "./model.ts";

/**
 * The message that the signature covers: the simple-signing payload, the DSSE pre-authentication encoding, or the artifact itself.
 *
 * @throws CheckFailed "claims" for a file's signature where an image is verified, and for an artifact whose digest is not the
 *   one in the bundle
 */
export function signedMessage(content: Evidence["content"], subject: Subject): Message {
  refuseFileSignature(content, subject);
  const message = ownMessage(content) ?? artifactOf(subject);
  verifyStatedDigest(content, message);
  return message;
}

function artifactOf(subject: Subject): Message {
  if (subject.kind === "blob") return subject.message;
  throw new TsignError("internal", "signature of a file for an image subject");
}

/**
 * Step "signature": the signature is valid for the key and the message.
 *
 * @throws CheckFailed "signature"
 */
export async function checkSignature(step: {
  evidence: Evidence;
  message: Message;
  key: PublicKey;
  policy: Policy;
}): Promise<Step<undefined>> {
  const { evidence, message, key, policy } = step;
  const { signature } = evidence.content;
  const allowed = policy.signer.kind === "key" ? policy.signer.hashes : defaultHashes(key);
  const hashes = allowed.filter((name) => message.hashes.includes(name));
  if (!(await verifySignature({ key, message, signature, hashes }))) {
    throw new CheckFailed("signature", "not valid for this key and this content");
  }
  return passed("signature", `valid for ${describeKey(key)}`, undefined);
}

/** Describes the kind of a key, for the report. */
export function describeKey({ kind }: PublicKey): string {
  switch (kind.type) {
    case "ecdsa":
      return `an ECDSA ${kind.curve} key`;
    case "rsa":
      return `an RSA ${kind.bits} key`;
    case "ed25519":
      return "an Ed25519 key";
  }
}
