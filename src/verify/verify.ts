import type { Evidence } from "../evidence/model.ts";
import { defaultHashes } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { verifyClaims, verifyStatedDigest } from "./claims.ts";
import { signedMessage, verifyEntity } from "./entity.ts";
import {
  type Check,
  CheckFailed,
  type CheckName,
  type Policy,
  type Subject,
  type TrustMaterial,
  type Verdict,
  type VerifiedSigner,
} from "./model.ts";

/**
 * The only code in tsign that says yes. It judges one piece of evidence and returns every check with its outcome; it reads
 * nothing from outside, and throws only for a defect of its own, never because of what the evidence holds.
 *
 * The order is that of the Sigstore client specification: the key (a certificate's path to a root), SCT, log, signature,
 * what the signed document claims, and whose it is.
 */
export async function verify(
  evidence: Evidence,
  subject: Subject,
  trust: TrustMaterial,
  policy: Policy,
): Promise<Verdict> {
  const checks: Check[] = [];
  const pass = (name: CheckName, detail: string) => checks.push({ name, outcome: "passed", detail });
  const skip = (name: CheckName, detail: string) => checks.push({ name, outcome: "skipped", detail });
  try {
    const signer = await signerOf(evidence, trust, policy);
    pass("key", signer.kind === "key" ? "the given public key" : "a certificate with a path to a trusted root");
    if (signer.kind === "certificate") skip("sct", "certificate transparency is not checked");
    skip("log", "the transparency log is not checked");

    const message = signedMessage(evidence.content, subject);
    const hashes = policy.signer.kind === "key" ? policy.signer.hashes : defaultHashes(signer.key);
    verifyStatedDigest(evidence.content, message);
    await verifyEntity({ evidence, message, key: signer.key, hashes });
    pass("signature", `valid for ${describeKey(signer.key)}`);

    if (policy.claims === "insecureSkip") skip("claims", "the signed claims are not checked");
    else pass("claims", verifyClaims(evidence.content, subject, policy.claims));

    if (policy.signer.kind === "identity" && signer.kind === "certificate") {
      const { verifyIdentity } = await import("./identity.ts");
      pass("identity", verifyIdentity(signer.leaf, policy.signer.identity));
    }
    return { ok: true, evidence, checks, signer };
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    const failed: Check = { name: error.check, outcome: "failed", detail: error.message };
    return { ok: false, evidence, checks: [...checks, failed], failed };
  }
}

/** The key that must have signed: the policy's, or the certificate's once its path to a root holds. */
async function signerOf(evidence: Evidence, trust: TrustMaterial, policy: Policy): Promise<VerifiedSigner> {
  if (policy.signer.kind === "key") {
    if (evidence.key.kind === "certificate" && evidence.key.binding) {
      throw new CheckFailed("key", "signed with a certificate, not with a bare key");
    }
    return { kind: "key", key: policy.signer.key };
  }
  if (evidence.key.kind !== "certificate") {
    throw new CheckFailed("key", "signed with a bare key, there is no certificate to identify the signer");
  }
  const { verifyCertificate } = await import("./certificate.ts"); // loaded for certificates only
  return verifyCertificate(evidence.key, trust);
}

function describeKey({ kind }: PublicKey): string {
  switch (kind.type) {
    case "ecdsa":
      return `an ECDSA ${kind.curve} key`;
    case "rsa":
      return `an RSA ${kind.bits} key`;
    case "ed25519":
      return "an Ed25519 key";
  }
}
