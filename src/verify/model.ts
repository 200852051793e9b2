import type { TransparencyLogEntry } from "@sigstore/bundle";
import type { CheckName } from "../errors.ts";
import type { PayloadDescription } from "../evidence/legacy/read.ts";
import type { StatementSubject } from "../evidence/statement.ts";
import type { Digest, HashName, Message } from "../format/digest.ts";
import type { PublicKey } from "../keys/types.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import type { PathBudget } from "../trust/path-budget.ts";

/** The image or file that the signature must be for. */
export type Subject =
  | { readonly kind: "image"; readonly digest: Digest }
  | { readonly kind: "blob"; readonly message: Message };

/** The trusted material, and the current time. */
export interface TrustMaterial extends TrustedMaterial {
  readonly now: Date;
  /** Shared limit for all certificate path searches; without one, each search has its own. */
  readonly budget?: PathBudget;
}

/** A pattern for a name in a certificate. `text` is for messages. */
export interface NamePattern {
  readonly text: string;
  /** Whether the pattern may match unintended names: it is not anchored at both ends, or matches any name. */
  readonly loose?: boolean;
  /** Whether the pattern matches a missing name, as a regular expression that matches the empty text does. */
  readonly matchesNone?: boolean;
  matches(name: string): boolean;
}

/** The required certificate identity: every part must match. */
export interface IdentityPolicy {
  readonly subject: readonly NamePattern[];
  readonly issuer: readonly NamePattern[];
  /** Required text by extension OID, compared exactly: `--certificate-github-workflow-*`. */
  readonly extensions: ReadonlyMap<string, string>;
  /** Patterns for the texts of Fulcio's extensions, by OID. A missing extension never matches. */
  readonly extensionPatterns?: ReadonlyMap<string, NamePattern>;
}

/** Requirements for the signed document. */
export interface ClaimsPolicy {
  /** Required values of signed annotations, by name. All are required, so two different values for one name always fail. */
  readonly annotations: Readonly<Record<string, readonly string[]>>;
  /** Accepted predicate types; undefined for any. */
  readonly predicateTypes: readonly string[] | undefined;
  /** Whether the document must be about what is being verified. Default "required". */
  readonly subject?: "required" | "insecureSkip";
}

/**
 * What a signature must satisfy. There is no empty policy: a key or an identity is always required, and every skipped check is
 * explicit.
 */
export interface Policy {
  readonly signer:
    | { readonly kind: "key"; readonly key: PublicKey; readonly hashes: readonly HashName[] }
    | { readonly kind: "identity"; readonly identity: IdentityPolicy };
  readonly claims: ClaimsPolicy | "insecureSkip";
  /** Whether the signature must be in a trusted transparency log. */
  readonly log: "required" | "insecureSkip";
  /** Minimum number of different logs that contain it. Default 1 if `log` is required. */
  readonly transparencyLogs?: number;
  /** Whether a signed timestamp (RFC 3161) is required; if optional, one from a trusted authority must still be valid. */
  readonly timestamp: "required" | "optional";
  /** Minimum number of different timestamp authorities. Default 1 if `timestamp` is required. */
  readonly timestamps?: number;
  /** Whether the certificate needs a signed certificate timestamp; `detached` is one delivered separately (RFC 6962 §3.2). */
  readonly sct: { readonly detached: Uint8Array | undefined } | "insecureSkip";
}

export type { CheckName };

/** The outcome of one step of a verification, for text and JSON output. */
export interface Check {
  readonly name: CheckName;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What was checked, or why it failed. */
  readonly detail: string;
  /** The required and the found value, if a failed check compares values. */
  readonly expected?: string;
  readonly actual?: string;
  /** What to do about a failed check. */
  readonly hint?: string;
}

/** Options of the TsignError for a failed check: its fields and its hint. */
export function fieldsOfCheck({ name, expected, actual, hint }: Check): CheckFields {
  return {
    check: name,
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    ...(hint === undefined ? {} : { hint }),
  };
}

type CheckFields = { readonly check: CheckName } & Comparison;

/** What a failed check adds to its reason. */
type Comparison = Pick<Check, "expected" | "actual" | "hint">;

/** The result of a step of a verification. */
export interface Step<Value> {
  /** Its outcome, for the report; undefined if there is nothing to check. */
  readonly check: Check | undefined;
  /** Input for later steps. */
  readonly value: Value;
}

/** The result of a step whose check passed. */
export function passed<Value>(name: CheckName, detail: string, value: Value): Step<Value> {
  return { check: { name, outcome: "passed", detail }, value };
}

/** The result of a step that the policy skips. */
export function skipped<Value>(name: CheckName, detail: string, value: Value): Step<Value> {
  return { check: { name, outcome: "skipped", detail }, value };
}

/** The signer of a verified signature: the policy's key, or a certificate that the policy accepts. */
export type VerifiedSigner =
  | { readonly kind: "key"; readonly key: PublicKey }
  | {
      readonly kind: "certificate";
      readonly key: PublicKey;
      /** The certificate's name that satisfied the policy. */
      readonly name: string;
      readonly issuer: string | undefined;
      /** Texts of the Fulcio extensions in the certificate, by OID. */
      readonly extensions: ReadonlyMap<string, string>;
    };

/** A verified entry of a trusted log for this signature. */
export interface VerifiedEntry {
  /** Kind of the entry's body: "hashedrekord", "dsse" or "intoto". */
  readonly kind: string;
  readonly version: string;
  /** Decimal. */
  readonly logIndex: string;
  /** Hex. */
  readonly logId: string;
  /** The time signed by the log (SET); undefined without one (Rekor v2). */
  readonly integratedTime: Date | undefined;
  /** Whether it was fetched from the log for this verification, not stored with the signature. */
  readonly fetched: boolean;
  /** The whole entry; all of it was verified. */
  readonly entry: TransparencyLogEntry;
}

/** A verified timestamp (RFC 3161) from a trusted authority. */
export interface VerifiedTimestamp {
  readonly time: Date;
  /** DER TimeStampResp. */
  readonly response: Uint8Array;
}

/** The signed content, and the part of it that is for the verified subject. */
export type VerifiedContent =
  | {
      readonly kind: "simple-signing";
      readonly payload: Uint8Array;
      /** Undefined for a payload of another type, which only a policy that skips the claims accepts. */
      readonly claims: PayloadDescription | undefined;
    }
  | {
      readonly kind: "statement";
      /** JSON of the stored envelope, on one line. */
      readonly envelope: () => string;
      /** The statement's JSON as it was signed. */
      readonly payload: Uint8Array;
      readonly predicateType: string;
      /** The subject that matches what was verified; undefined if none does and the policy does not require it. */
      readonly subject: StatementSubject | undefined;
      /** The statement's first subject, to show if `subject` is undefined. */
      readonly first: StatementSubject | undefined;
    }
  /** The artifact itself, or a document that was not read because the policy skips the claims. */
  | { readonly kind: "artifact" };

/** A failed check. Steps throw it, `verify` turns it into a Verdict; it is not thrown outside this folder. */
export class CheckFailed extends Error {
  readonly check: CheckName;
  /** The required and the found value, if the check compares values, and what to do. */
  readonly compared: Comparison;

  constructor(check: CheckName, detail: string, compared: Comparison = {}) {
    super(detail);
    this.check = check;
    this.compared = compared;
  }
}
