import type { ErrorCode } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Effect } from "./model.ts";

/** A signature that counts for a signer. */
export interface Counted {
  readonly where: string;
  /** The certificate's name that matches, or `key sha256:…`. */
  readonly by: string;
  /** Its earliest trusted time, ISO 8601. */
  readonly time?: string;
}

/** A signature that does not count for a signer, with the reasons. */
export interface NotCounted {
  readonly where: string;
  readonly reasons: readonly string[];
}

/** What was found of one signer. */
export interface SignerOutcome {
  readonly signer: string;
  readonly counted: readonly Counted[];
  /** Those that verify but do not count. */
  readonly notCounted: readonly NotCounted[];
  /** The signature that came nearest to verifying, if none did. */
  readonly nearest?: NotCounted;
}

/** The outcome of one demand of a rule. */
export interface DemandOutcome {
  /** "signatures", or the predicate type of the attestations. */
  readonly demand: string;
  readonly ok: boolean;
  /** Who is demanded, in words. */
  readonly signers: string;
  readonly found: readonly SignerOutcome[];
  /** Number of signatures or attestations that were looked at. */
  readonly count: number;
}

/** A place that could not be searched. */
interface Missed {
  readonly where: string;
  readonly code: ErrorCode;
  readonly reason: string;
}

/** What a trust policy decides about an image or a file: plain data. */
export interface Decision {
  /** The image's name, or the file's. */
  readonly subject: string;
  readonly digest?: Digest;
  readonly policy: string;
  /** The rule that decides; undefined if none matches. */
  readonly rule?: { readonly name: string; readonly place: string };
  readonly effect: Effect;
  /** Whether all demands are met. */
  readonly ok: boolean;
  /** Whether it may be used: the demands are met, or the effect lets it through. Nothing that is denied is let through. */
  readonly allowed: boolean;
  /** Why not, in the order of the rule's demands; empty if `ok`. */
  readonly reasons: readonly string[];
  readonly demands: readonly DemandOutcome[];
  /** Places that could not be searched: what is missing may be there. */
  readonly incomplete: readonly Missed[];
}
