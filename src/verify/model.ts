import type { X509Certificate } from "@sigstore/core";
import type { Evidence } from "../evidence/model.ts";
import type { Digest, HashName, Message } from "../format/digest.ts";
import type { PublicKey } from "../keys/types.ts";
import type { TrustedMaterial } from "../trust/material.ts";

/** What the evidence has to be about. */
export type Subject =
  | { readonly kind: "image"; readonly digest: Digest }
  | { readonly kind: "blob"; readonly message: Message };

/** What the verifier trusts, and the time it believes to be now. */
export interface TrustMaterial extends TrustedMaterial {
  readonly now: Date;
}

/** Compares a name found in a certificate: `matches` is given the name, `text` is for messages. */
export interface NamePattern {
  readonly text: string;
  /** Matches more names than a reader may think: a pattern that is not anchored at both ends, or takes anything. */
  readonly loose?: boolean;
  /** Matches a certificate that has none, as a regular expression that matches the empty text does. */
  readonly matchesNone?: boolean;
  matches(name: string): boolean;
}

/** Whose certificate is accepted. Both parts must hold; workflow claims are compared exactly. */
export interface IdentityPolicy {
  readonly subject: readonly NamePattern[];
  readonly issuer: readonly NamePattern[];
  /** Extension OID to required text: `--certificate-github-workflow-*`. */
  readonly extensions: ReadonlyMap<string, string>;
}

/** Claims the signed document has to make. */
export interface ClaimsPolicy {
  /** Annotations that must be among the signed ones. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Predicate types of statements that count; undefined for any. */
  readonly predicateTypes: readonly string[] | undefined;
  /** Whether the document must be about what is being verified. Default "required". */
  readonly subject?: "required" | "insecureSkip";
}

/**
 * What has to hold. There is no empty policy: a key or an identity is always required, and whatever is left unchecked is
 * named so.
 */
export interface Policy {
  readonly signer:
    | { readonly kind: "key"; readonly key: PublicKey; readonly hashes: readonly HashName[] }
    | { readonly kind: "identity"; readonly identity: IdentityPolicy };
  readonly claims: ClaimsPolicy | "insecureSkip";
  /** Whether the signature must be in a trusted transparency log. */
  readonly log: "required" | "insecureSkip";
  /** Whether a signed timestamp (RFC 3161) must be there; otherwise one that verifies is used, and none is needed. */
  readonly timestamp: "required" | "optional";
  /** Whether the certificate must have been made public; `detached` is an SCT that came beside it (RFC 6962 §3.2). */
  readonly sct: { readonly detached: Uint8Array | undefined } | "insecureSkip";
}

export type CheckName = "log" | "time" | "key" | "sct" | "signature" | "claims" | "identity";

/** One step of a verification, as data: text, JSON and later reports are made from it. */
export interface Check {
  readonly name: CheckName;
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why: what was checked, expected and found. */
  readonly detail: string;
}

/** Who made a verified signature. */
export type VerifiedSigner =
  | { readonly kind: "key"; readonly key: PublicKey }
  | { readonly kind: "certificate"; readonly key: PublicKey; readonly leaf: X509Certificate };

/** The outcome for one piece of evidence. Checks after a failed one were not made. */
export type Verdict =
  | {
      readonly ok: true;
      readonly evidence: Evidence;
      readonly checks: readonly Check[];
      readonly signer: VerifiedSigner;
    }
  | { readonly ok: false; readonly evidence: Evidence; readonly checks: readonly Check[]; readonly failed: Check };

/** Thrown by a step to say that its check failed; `verify` turns it into a Verdict, it never leaves the folder. */
export class CheckFailed extends Error {
  readonly check: CheckName;

  constructor(check: CheckName, detail: string) {
    super(detail);
    this.check = check;
  }
}
