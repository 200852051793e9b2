import type { X509Certificate } from "@sigstore/core";
import { certificateIssuer, certificateNames } from "../format/certificate-names.ts";
import { CheckFailed, type IdentityPolicy, type NamePattern } from "./model.ts";

/**
 * Compares the certificate's names and issuer with the policy's. A name that is missing never matches. An issuer that is
 * missing, as in a certificate of one's own authority, is matched by patterns that match the empty text, and by no exact issuer.
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
  const isIssuer = (pattern: NamePattern) =>
    issuer === undefined ? pattern.matchesNone === true : pattern.matches(issuer);
  if (!policy.issuer.every(isIssuer)) {
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
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    throw new CheckFailed("identity", `the certificate's identity cannot be read: ${reason}`);
  }
}
