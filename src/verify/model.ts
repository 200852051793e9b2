import type { TransparencyLogEntry } from "@sigstore/bundle";
import type { CheckName, TsignError } from "../errors.ts";
import type { PayloadDescription } from "../evidence/legacy/read.ts";
import type { StatementSubject } from "../evidence/statement.ts";
import type { Digest, HashName, Message } from "../format/digest.ts";
import type { PublicKey } from "../keys/types.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import type { PathBudget } from "../trust/path-budget.ts";

/** What the evidence has to be about. */
export type Subject =
  | { readonly kind: "image"; readonly digest: Digest }
  | { readonly kind: "blob"; readonly message: Message };

/** What the verifier trusts, and the time it believes to be now. */
export interface TrustMaterial extends TrustedMaterial {
  readonly now: Date;
  /** What the searches for certificate paths may cost together, for all that is judged with it; without one each has its own. */
  readonly budget?: PathBudget;
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
  /** Values that the signed annotations must have, by name. All are required, so that two values of one name fail. */
  readonly annotations: Readonly<Record<string, readonly string[]>>;
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
  /** How many different logs must have it, at the least. Default 1 where `log` is required. */
  readonly transparencyLogs?: number;
  /** Whether a signed timestamp (RFC 3161) must be there; otherwise one that verifies is used, and none is needed. */
  readonly timestamp: "required" | "optional";
  /** How many different authorities must have signed a timestamp, at the least. Default 1 where `timestamp` is required. */
  readonly timestamps?: number;
  /** Whether the certificate must have been made public; `detached` is an SCT that came beside it (RFC 6962 §3.2). */
  readonly sct: { readonly detached: Uint8Array | undefined } | "insecureSkip";
}

export type { CheckName };

/** One step of a verification, as data: text, JSON and later reports are made from it. */
export interface Check {
  readonly name: CheckName;
  readonly outcome: "passed" | "failed" | "skipped";
  /** Why: what was checked, expected and found. */
  readonly detail: string;
  /** Of a failed check that compares values: what it demands, and what it found. */
  readonly expected?: string;
  readonly actual?: string;
}

/** What an error says of a failed check in its fields. */
export function fieldsOfCheck({ name, expected, actual }: Check): Pick<TsignError, "check" | "expected" | "actual"> {
  return {
    check: name,
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
  };
}

/** What a step of a verification gives. */
export interface Step<Value> {
  /** Its outcome, for the report; undefined where there is nothing to check. */
  readonly check: Check | undefined;
  /** What later steps build on. */
  readonly value: Value;
}

/** A step whose check passed. */
export function passed<Value>(name: CheckName, detail: string, value: Value): Step<Value> {
  return { check: { name, outcome: "passed", detail }, value };
}

/** A step that the policy leaves out. */
export function skipped<Value>(name: CheckName, detail: string, value: Value): Step<Value> {
  return { check: { name, outcome: "skipped", detail }, value };
}

/** Who made a verified signature: the key that the policy names, or a certificate that it accepts. */
export type VerifiedSigner =
  | { readonly kind: "key"; readonly key: PublicKey }
  | {
      readonly kind: "certificate";
      readonly key: PublicKey;
      /** The name of the certificate that the policy accepted. */
      readonly name: string;
      readonly issuer: string | undefined;
      /** Text of the certificate's Fulcio extensions by OID, of those only that it has. */
      readonly extensions: ReadonlyMap<string, string>;
    };

/** An entry of a trusted log that is included in it and is about this signature. */
export interface VerifiedEntry {
  /** Of the entry's body: "hashedrekord", "dsse", "intoto". */
  readonly kind: string;
  readonly version: string;
  /** Decimal. */
  readonly logIndex: string;
  /** Hex. */
  readonly logId: string;
  /** The time the log promised; undefined where it gave none (Rekor v2). */
  readonly integratedTime: Date | undefined;
  /** Whether it was looked up for this verification; otherwise it was stored with the signature. */
  readonly fetched: boolean;
  /** The entry itself, of which everything was verified. */
  readonly entry: TransparencyLogEntry;
}

/** A signed timestamp (RFC 3161) of a trusted authority that holds. */
export interface VerifiedTimestamp {
  readonly time: Date;
  /** DER TimeStampResp. */
  readonly response: Uint8Array;
}

/** What is signed, and which part of it is about what was verified. */
export type VerifiedContent =
  | {
      readonly kind: "simple-signing";
      readonly payload: Uint8Array;
      /** Undefined for a payload of another kind, which only a policy that checks no claims lets pass. */
      readonly claims: PayloadDescription | undefined;
    }
  | {
      readonly kind: "statement";
      /** JSON of the envelope as it is stored, in one line. */
      readonly envelope: () => string;
      /** The statement's JSON as it was signed. */
      readonly payload: Uint8Array;
      readonly predicateType: string;
      /** The subject that is what was verified; undefined where the policy does not ask and none is. */
      readonly subject: StatementSubject | undefined;
      /** The first of all subjects, for showing where `subject` is undefined. */
      readonly first: StatementSubject | undefined;
    }
  /** The artifact itself, or, by a policy that skips the claims, a document that was not read. */
  | { readonly kind: "artifact" };

/** Thrown by a step to say that its check failed; `verify` turns it into a Verdict, it never leaves the folder. */
export class CheckFailed extends Error {
  readonly check: CheckName;
  /** Of a check that compares values: what it demands, and what it found. */
  readonly compared: { readonly expected?: string; readonly actual?: string };

  constructor(check: CheckName, detail: string, compared: CheckFailed["compared"] = {}) {
    super(detail);
    this.check = check;
    this.compared = compared;
  }
}
