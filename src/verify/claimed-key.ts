import type { Evidence } from "../evidence/model.ts";
import { once } from "../format/once.ts";
import { MAX_ED25519_MESSAGE } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { CheckFailed, type Policy } from "./model.ts";

const forCertificates = once(() => import("./certified.ts"));

/**
 * The key that must have made the signature: the policy's key, or that of the certificate, which is not verified yet.
 *
 * @throws CheckFailed "key" for a bundle with a certificate where a key is required, and for evidence without a certificate where
 *   an identity is required
 */
export async function claimedKey(evidence: Evidence, policy: Policy): Promise<PublicKey> {
  if (policy.signer.kind === "key") {
    if (evidence.key.kind === "certificate" && evidence.key.binding) {
      throw new CheckFailed("key", "signed with a certificate, not with a key", {
        expected: "public key",
        actual: "certificate",
      });
    }
    return policy.signer.key;
  }
  if (evidence.key.kind !== "certificate") {
    throw new CheckFailed("key", "signed with a key, not with a certificate", {
      expected: "certificate",
      actual: "public key",
    });
  }
  const { certifiedKey } = await forCertificates();
  return certifiedKey(evidence.key);
}

/**
 * The key that will verify the signature, not verified itself: it decides which hashes of a file are computed and what a log
 * is searched for. Undefined for a missing or malformed key, which `verify` then reports.
 */
export async function keyToReadWith(
  { key }: Pick<Evidence, "key">,
  { signer }: Pick<Policy, "signer">,
): Promise<PublicKey | undefined> {
  if (signer.kind === "key") return signer.key;
  if (key.kind !== "certificate") return undefined;
  const { certifiedKey } = await forCertificates();
  try {
    return certifiedKey(key);
  } catch (error) {
    if (error instanceof CheckFailed) return undefined;
    throw error;
  }
}

/** Largest file that is kept in memory for the check, in bytes; larger ones are checked by their digest. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** How many bytes of a file to keep in memory for a check with this key: pure Ed25519 (RFC 8032 §5.1) signs the whole file. */
export function bytesToKeep(key: PublicKey | undefined): number {
  return key?.kind.type === "ed25519" ? MAX_ED25519_MESSAGE : MAX_BUFFERED_BYTES;
}
