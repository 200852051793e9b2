import type { Evidence } from "../evidence/model.ts";
import { MAX_ED25519_MESSAGE } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { CheckFailed, type Policy } from "./model.ts";

/**
 * The key that must have signed: the policy's, or the certificate's, of which nothing is believed yet.
 *
 * @throws CheckFailed "key" where the evidence has no such key
 */
export async function claimedKey(evidence: Evidence, policy: Policy): Promise<PublicKey> {
  if (policy.signer.kind === "key") {
    if (evidence.key.kind === "certificate" && evidence.key.binding) {
      throw new CheckFailed("key", "signed with a certificate, not with a bare key", {
        expected: "public key",
        actual: "certificate",
      });
    }
    return policy.signer.key;
  }
  if (evidence.key.kind !== "certificate") {
    throw new CheckFailed("key", "signed with a bare key, there is no certificate to identify the signer", {
      expected: "certificate",
      actual: "public key",
    });
  }
  const { certifiedKey } = await import("./certified.ts");
  return certifiedKey(evidence.key);
}

/**
 * The key that evidence will be checked with, before anything of it is believed: to know which hashes a file is to be read
 * with, or what to ask a log for. undefined where there is none, or none that can be read, of which `verify` says why.
 */
export async function keyToReadWith(
  { key }: Pick<Evidence, "key">,
  { signer }: Pick<Policy, "signer">,
): Promise<PublicKey | undefined> {
  if (signer.kind === "key") return signer.key;
  if (key.kind !== "certificate") return undefined;
  const { certifiedKey } = await import("./certified.ts");
  try {
    return certifiedKey(key);
  } catch (error) {
    if (error instanceof CheckFailed) return undefined;
    throw error;
  }
}

/** Files up to this size are kept and checked as they are; larger ones by their digest. Bytes. */
const MAX_KEPT = 4 * 1024 * 1024;

/** How many bytes of a file a check by this key wants in memory: pure Ed25519 (RFC 8032 §5.1) is over the whole file. */
export function bytesToKeep(key: PublicKey | undefined): number {
  return key?.kind.type === "ed25519" ? MAX_ED25519_MESSAGE : MAX_KEPT;
}
