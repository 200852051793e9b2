import type { X509Certificate } from "@sigstore/core";
import {
  certificateIssuer,
  certificateNames,
  fulcioExtensionName,
  fulcioExtensionText,
} from "../format/certificate-names.ts";
import { CheckFailed, type IdentityPolicy, type NamePattern } from "./model.ts";

/** Fulcio's extensions with plain text (fulcio docs/oid-info.md): the issuer and the GitHub workflow. */
const TEXT_EXTENSIONS = [1, 2, 3, 4, 5, 6].map((last) => `1.3.6.1.4.1.57264.1.${last}`);

/** The certificate identity that satisfies a policy. */
export interface VerifiedIdentity {
  readonly name: string;
  readonly issuer: string | undefined;
  /** All names of the certificate and its issuer, for the report. */
  readonly report: string;
}

/**
 * Compares the certificate's names, issuer and extensions with the policy. A certificate without a name never matches. One
 * without an issuer, as a private CA may issue it, matches regular expressions that match the empty text, but no exact issuer.
 *
 * @returns the name and issuer that satisfy the policy
 * @throws CheckFailed "identity"
 */
export function verifyIdentity(leaf: X509Certificate, policy: IdentityPolicy): VerifiedIdentity {
  const { names, issuer } = readIdentity(leaf);
  const found = `${names.join(", ") || "no name"} (issuer ${issuer ?? "none"})`;
  if (policy.subject.length === 0 || policy.issuer.length === 0) {
    throw new CheckFailed("identity", "policy requires no certificate identity");
  }
  const accepted = names.find((name) => policy.subject.every((pattern) => pattern.matches(name)));
  if (accepted === undefined) {
    const wanted = policy.subject.map((pattern) => pattern.text).join(" and ");
    throw new CheckFailed("identity", `certificate identity mismatch: got ${found}, want ${wanted}`, {
      expected: wanted,
      actual: found,
    });
  }
  const isIssuer = (pattern: NamePattern) =>
    issuer === undefined ? pattern.matchesNone === true : pattern.matches(issuer);
  if (!policy.issuer.every(isIssuer)) {
    const wanted = policy.issuer.map((pattern) => pattern.text).join(" and ");
    const actual = issuer ?? "none";
    throw new CheckFailed("identity", `certificate OIDC issuer mismatch: got ${actual}, want ${wanted}`, {
      expected: wanted,
      actual,
    });
  }
  for (const [oid, required] of policy.extensions) {
    const actual = leaf.extension(oid)?.value.toString("utf8");
    if (actual !== required) throw extensionMismatch(oid, { expected: required, actual: actual ?? "" });
  }
  for (const [oid, pattern] of policy.extensionPatterns ?? []) {
    const actual = fulcioExtensionText(leaf, oid); // well-formed: readIdentity has parsed them all
    if (actual === undefined || !pattern.matches(actual)) {
      throw extensionMismatch(oid, { expected: pattern.text, actual: actual ?? "" });
    }
  }
  return { name: accepted, issuer, report: found };
}

/** The error for an extension: "certificate GitHub workflow repository mismatch" for --certificate-github-workflow-repository. */
function extensionMismatch(oid: string, compared: { expected: string; actual: string }): CheckFailed {
  const { expected, actual } = compared;
  const name = fulcioExtensionName(oid)?.replaceAll(/ [A-Z](?=[a-z])/g, (start) => start.toLowerCase());
  const reason = `certificate ${name ?? `extension ${oid}`} mismatch: got "${actual}", want "${expected}"`;
  return new CheckFailed("identity", reason, compared);
}

/** The texts of the certificate's plain-text Fulcio extensions, by OID. */
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
    throw new CheckFailed("identity", `read certificate identity: ${reason}`);
  }
}
