import { TsignError } from "../errors.ts";
import type { EvidenceKey } from "../evidence/model.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { type Certificate, parseCertificate } from "../trust/certificate.ts";
import { type CertificatePath, verifyCertificatePath } from "../trust/certificate-path.ts";
import { isWithin } from "../trust/material.ts";
import { PathBudget } from "../trust/path-budget.ts";
import { CheckFailed, type TrustMaterial } from "./model.ts";

type CertificateKey = Extract<EvidenceKey, { kind: "certificate" }>;

/** Keys of parsed certificates, which the images of a batch share. */
const keys = new WeakMap<Certificate, PublicKey>();

/**
 * The public key of a certificate that is not verified yet.
 *
 * @throws CheckFailed "key" for a certificate that cannot be parsed
 */
export function certifiedKey({ leaf }: CertificateKey): PublicKey {
  return asCheck(() => {
    const certificate = parseCertificate(leaf);
    const key = keys.get(certificate) ?? publicKeyFromObject(certificate.key);
    keys.set(certificate, key);
    return key;
  });
}

/**
 * Checks that the certificate has a path to a trusted root at every given time, using the authorities trusted at that time.
 * The chain stored with the evidence only supplies intermediates.
 *
 * @param times at least one
 * @returns the path found for the first time
 * @throws CheckFailed "key" for a certificate without a path, "time" without any time
 */
export function verifyCertificate(key: CertificateKey, trust: TrustMaterial, times: readonly Date[]): CertificatePath {
  const { budget = new PathBudget() } = trust;
  const paths = times.map((at) => pathAt(key, { ...trust, budget }, at));
  const [path] = paths;
  if (!path)
    throw new CheckFailed("time", "no trusted time to check the certificate against", {
      hint: "sign with a timestamp authority or a transparency log that promises a time",
    });
  return path;
}

function pathAt(
  key: CertificateKey,
  trust: TrustMaterial & { readonly budget: PathBudget },
  at: Date,
): CertificatePath {
  const trusted = trust.authorities.filter(({ validFor }) => isWithin(validFor, at));
  if (trusted.length === 0) {
    const reason = trust.authorities.length === 0 ? "" : ` at ${at.toISOString()}`;
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
