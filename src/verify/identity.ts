import type { X509Certificate } from "@sigstore/core";
import { certificateIssuer, certificateNames } from "../format/certificate-names.ts";
import { CheckFailed, type IdentityPolicy, type NamePattern } from "./model.ts";

/** Fulcio's extensions 1.3.6.1.4.1.57264.1.1 to .6 hold plain text (fulcio docs/oid-info.md): issuer and GitHub workflow. */
const TEXT_EXTENSIONS = [1, 2, 3, 4, 5, 6].map((last) => `1.3.6.1.4.1.57264.1.${last}`);

/** The identity that a policy accepted. */
export interface VerifiedIdentity {
  readonly name: string;
  readonly issuer: string | undefined;
  /** All names and the issuer of the certificate, for the report. */
  readonly report: string;
}

/**
 * Compares the certificate's names and issuer with the policy's. A name that is missing never matches. An issuer that is
 * missing, as in a certificate of one's own authority, is matched by patterns that match the empty text, and by no exact issuer.
 *
 * @returns the name and issuer that the policy accepted
 * @throws CheckFailed showing the identity found
 */
export function verifyIdentity(leaf: X509Certificate, policy: IdentityPolicy): VerifiedIdentity {
  const { names, issuer } = readIdentity(leaf);
  const found = `${names.join(", ") || "no name"} of issuer ${issuer ?? "none"}`;
  if (policy.subject.length === 0 || policy.issuer.length === 0)
    throw new CheckFailed("identity", "no identity is required");
  const accepted = names.find((name) => policy.subject.every((pattern) => pattern.matches(name)));
  if (accepted === undefined) {
    const wanted = policy.subject.map((pattern) => pattern.text).join(" and ");
    throw new CheckFailed("identity", `expected ${wanted}, got ${found}`, { expected: wanted, actual: found });
  }
  const isIssuer = (pattern: NamePattern) =>
    issuer === undefined ? pattern.matchesNone === true : pattern.matches(issuer);
  if (!policy.issuer.every(isIssuer)) {
    const wanted = policy.issuer.map((pattern) => pattern.text).join(" and ");
    const compared = { expected: wanted, actual: issuer ?? "none" };
    throw new CheckFailed("identity", `expected issuer ${wanted}, got ${found}`, compared);
  }
  for (const [oid, required] of policy.extensions) {
    const actual = leaf.extension(oid)?.value.toString("utf8");
    if (actual !== required) {
      const compared = { expected: required, actual: actual ?? "" };
      throw new CheckFailed(
        "identity",
        `expected extension ${oid} to be "${required}", got "${actual ?? ""}"`,
        compared,
      );
    }
  }
  return { name: accepted, issuer, report: found };
}

/** The text of each extension that Fulcio defines as plain text and the certificate has, by OID. */
export function fulcioExtensions(leaf: X509Certificate): ReadonlyMap<string, string> {
  return new Map(
    TEXT_EXTENSIONS.flatMap((oid) => {
      const value = leaf.extension(oid)?.value;
      return value === undefined ? [] : [[oid, value.toString("utf8")] as const];
    }),
  );
}

function readIdentity(leaf: X509Certificate): { names: string[]; issuer: string | undefined } {
  try {
    return { names: certificateNames(leaf), issuer: certificateIssuer(leaf) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    throw new CheckFailed("identity", `the certificate's identity cannot be read: ${reason}`);
  }
}
