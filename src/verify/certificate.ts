import { TsignError } from "../errors.ts";
import type { EvidenceKey } from "../evidence/model.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { parseCertificate } from "../trust/certificate.ts";
import { type CertificatePath, verifyCertificatePath } from "../trust/certificate-path.ts";
import { type Authority, isWithin } from "../trust/material.ts";
import { PathBudget } from "../trust/path-budget.ts";
import { CheckFailed, type TrustMaterial } from "./model.ts";

type CertificateKey = Extract<EvidenceKey, { kind: "certificate" }>;

/** What the searches for paths to the same authorities may cost together. */
const budgets = new WeakMap<readonly Authority[], PathBudget>();

function budgetFor(authorities: readonly Authority[]): PathBudget {
  const budget = budgets.get(authorities) ?? new PathBudget();
  budgets.set(authorities, budget);
  return budget;
}

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
  const paths = times.map((at) => pathAt(key, trust, at));
  const [path] = paths;
  if (!path) throw new CheckFailed("time", "there is no trusted time to judge the certificate at");
  return path;
}

function pathAt(key: CertificateKey, trust: TrustMaterial, at: Date): CertificatePath {
  const trusted = trust.authorities.filter(({ validFor }) => isWithin(validFor, at));
  if (trusted.length === 0) {
    const reason = trust.authorities.length === 0 ? "" : ` for ${at.toISOString()}`;
    throw new CheckFailed("key", `no certificate authority is trusted${reason}`);
  }
  const budget = budgetFor(trust.authorities);
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
