import { TsignError } from "../errors.ts";
import type { EvidenceKey } from "../evidence/model.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { parseCertificate } from "../trust/certificate.ts";
import { type CertificatePath, verifyCertificatePath } from "../trust/certificate-path.ts";
import { isWithin } from "../trust/material.ts";
import { PathBudget } from "../trust/path-budget.ts";
import { CheckFailed, type TrustMaterial } from "./model.ts";

type CertificateKey = Extract<EvidenceKey, { kind: "certificate" }>;

/**
 * The key a certificate is for, before anything of it is believed.
 *
 * @throws CheckFailed when it cannot be read
 */
export function certifiedKey(key: CertificateKey): PublicKey {
  return asCheck(() => publicKeyFromObject(parseCertificate(key.leaf).native.publicKey));
}

/**
 * Checks that the certificate has a path to a trusted root at every one of the times, each time by authorities that are
 * trusted for it. The chain stored with the evidence only helps to find that path.
 *
 * @param times at least one
 * @returns the path found
 * @throws CheckFailed
 */
export function verifyCertificate(key: CertificateKey, trust: TrustMaterial, times: readonly Date[]): CertificatePath {
  const { budget = new PathBudget() } = trust;
  const paths = times.map((at) => pathAt(key, { ...trust, budget }, at));
  const [path] = paths;
  if (!path) throw new CheckFailed("time", "there is no trusted time to judge the certificate at");
  return path;
}

function pathAt(
  key: CertificateKey,
  trust: TrustMaterial & { readonly budget: PathBudget },
  at: Date,
): CertificatePath {
  const trusted = trust.authorities.filter(({ validFor }) => isWithin(validFor, at));
  if (trusted.length === 0) {
    const reason = trust.authorities.length === 0 ? "" : ` for ${at.toISOString()}`;
    throw new CheckFailed("key", `no certificate authority is trusted${reason}`);
  }
  const { budget } = trust;
  let failure: unknown;
  for (const authorities of trusted) {
    try {
      return asCheck(() => verifyCertificatePath({ leaf: key.leaf, authorities, offered: key.chain, at, budget }));
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function asCheck<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof TsignError) throw new CheckFailed("key", error.message);
    throw error;
  }
}
