import { TsignError } from "../errors.ts";
import type { EvidenceKey } from "../evidence/model.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import { verifyCertificatePath } from "../trust/certificate-path.ts";
import { CheckFailed, type TrustMaterial, type VerifiedSigner } from "./model.ts";

/**
 * The signer a certificate stands for, once its path to a trusted root holds now. The chain stored with the evidence only
 * helps to find that path.
 *
 * @throws CheckFailed
 */
export function verifyCertificate(
  key: Extract<EvidenceKey, { kind: "certificate" }>,
  trust: TrustMaterial,
): Extract<VerifiedSigner, { kind: "certificate" }> {
  const { roots, intermediates } = trust.authorities;
  const authorities = { roots, intermediates: [...intermediates, ...key.chain] };
  try {
    const leaf = verifyCertificatePath({ leaf: key.leaf, authorities, at: trust.now });
    return { kind: "certificate", key: publicKeyFromObject(leaf.native.publicKey), leaf: leaf.asn1 };
  } catch (error) {
    if (error instanceof TsignError) throw new CheckFailed("key", error.message);
    throw error;
  }
}
