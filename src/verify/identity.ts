import type { X509Certificate } from "@sigstore/core";
import { certificateIssuer, certificateNames } from "../format/certificate-names.ts";
import { CheckFailed, type IdentityPolicy } from "./model.ts";

/**
 * Compares the certificate's names and issuer with the policy's. A name or issuer that is missing never matches.
 *
 * @returns the identity found, for the report
 * @throws CheckFailed showing the identity found
 */
export function verifyIdentity(leaf: X509Certificate, policy: IdentityPolicy): string {
  const { names, issuer } = readIdentity(leaf);
  const found = `${names.join(", ") || "no name"} of issuer ${issuer ?? "none"}`;
  if (policy.subject.length === 0 || policy.issuer.length === 0)
    throw new CheckFailed("identity", "no identity is required");
  if (!names.some((name) => policy.subject.every((pattern) => pattern.matches(name)))) {
    const wanted = policy.subject.map((pattern) => pattern.text).join(" and ");
    throw new CheckFailed("identity", `expected ${wanted}, got ${found}`);
  }
  if (issuer === undefined || !policy.issuer.every((pattern) => pattern.matches(issuer))) {
    const wanted = policy.issuer.map((pattern) => pattern.text).join(" and ");
    throw new CheckFailed("identity", `expected issuer ${wanted}, got ${found}`);
  }
  for (const [oid, required] of policy.extensions) {
    const actual = leaf.extension(oid)?.value.toString("utf8");
    if (actual !== required) {
      throw new CheckFailed("identity", `expected extension ${oid} to be "${required}", got "${actual ?? ""}"`);
    }
  }
  return found;
}

function readIdentity(leaf: X509Certificate): { names: string[]; issuer: string | undefined } {
  try {
    return { names: certificateNames(leaf), issuer: certificateIssuer(leaf) };
  } catch {
    throw new CheckFailed("identity", "the certificate's names cannot be read");
  }
}
