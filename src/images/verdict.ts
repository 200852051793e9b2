import { type ErrorCode, TsignError } from "../errors.ts";
import type { Incomplete, Origin, Unreadable } from "../evidence/model.ts";
import type { Digest } from "../format/digest.ts";
import { printable } from "../format/printable.ts";
import type { CheckName } from "../verify/model.ts";
import type { Refused, Verified } from "../verify/verify.ts";

/** What an image is to have. An attestation is no signature: its statement says something else than "I signed this". */
export type Wanted =
  | { readonly kind: "signatures" }
  /** `predicateType` is the URI that the statement has to state. */
  | { readonly kind: "attestations"; readonly predicateType: string };

/** A candidate that did not pass. */
export interface Failure {
  readonly origin: Origin;
  /** The check that failed; "unreadable" for what could not be read, or judged for want of an answer. */
  readonly check: CheckName | "unreadable" | "internal error";
  /** Cleaned for a terminal: reasons quote what strangers wrote. */
  readonly reason: string;
  /** Of a check that compares values: what it demands, and what it found, as it stands there. */
  readonly expected?: string;
  readonly actual?: string;
}

/** A place that could not be looked through. */
export interface MissedPlace {
  readonly origin: Origin;
  /** Of the error: "network", "auth", "registry", "limit" and so on. */
  readonly code: ErrorCode;
  readonly reason: string;
}

/** What there is in place of what was wanted, where nothing of it was found. */
export type Instead =
  | { readonly kind: "nothing" }
  /** Statements of other predicate types. */
  | { readonly kind: "other-types"; readonly predicateTypes: readonly string[] }
  /** What was wanted, in bundles, which the options left out. */
  | { readonly kind: "bundles" }
  /** What was wanted, stored with an image of the index; `platform` is `os/architecture` or empty. */
  | { readonly kind: "child"; readonly digest: Digest; readonly platform: string };

/** An attestation that verifies and that the policy of its statement refuses. */
export interface Unsatisfied {
  readonly origin: Origin;
  readonly reasons: readonly string[];
}

interface Judged {
  /** As the target is named. */
  readonly image: string;
  readonly digest: Digest;
  /** How many candidates were judged. */
  readonly count: number;
  /** In the order they were found. */
  readonly failures: readonly Failure[];
  /** Places that could not be looked through. Where something verified that was found elsewhere, it counts all the same. */
  readonly incomplete: readonly MissedPlace[];
}

/** An image of which at least one signature or attestation verifies. */
export interface Accepted extends Judged {
  readonly ok: true;
  /** Those that verify, in the order they were found. */
  readonly verified: readonly [Verified, ...Verified[]];
}

/** An image that nothing says yes for. */
export interface Rejected extends Judged {
  readonly ok: false;
  readonly verified: readonly [];
  /**
   * Why: a TsignError "image-not-found", "no-signatures", "no-match" (of the legacy form), "no-match-bundle", "policy", or
   * what a place that could not be looked through threw. A defect of tsign stands here as it was thrown.
   */
  readonly error: unknown;
  /** Only where nothing was found that could have been judged. */
  readonly instead?: Instead;
  /** Only where attestations verify and their statements do not satisfy the policy. */
  readonly unsatisfied?: readonly Unsatisfied[];
}

/** What became of an image: plain data, of which the verified signatures are what only `verify` makes. */
export type ImageVerdict = Accepted | Rejected;

/** A failure in the terms of the report. */
export function failureOf(candidate: Refused | Unreadable): Failure {
  const { origin } = candidate;
  if ("unreadable" in candidate) {
    const check = candidate.defect ? "internal error" : "unreadable";
    return { origin, check, reason: printable(candidate.unreadable) };
  }
  const { name, detail, outcome: _, ...compared } = candidate.failed;
  return { origin, check: name, reason: printable(detail), ...compared };
}

/** A place that could not be looked through, in the terms of the report. */
export function missedPlace({ origin, incomplete: { code, message } }: Incomplete): MissedPlace {
  return { origin, code, reason: printable(message) };
}

/** The error of an image that has what was wanted, of which none verifies. */
export function noMatch(
  wanted: Wanted,
  judged: { name: string; failures: readonly Failure[]; legacy: boolean },
): TsignError {
  const { name, failures, legacy } = judged;
  const code = wanted.kind === "signatures" && legacy ? "no-match" : "no-match-bundle";
  const [first] = failures;
  const reason = `none passes (${first?.check}: ${first?.reason})`;
  return new TsignError(code, `no matching ${wanted.kind}: ${failures.length} found for ${name}, ${reason}`, {
    check: first && isCheck(first.check) ? first.check : undefined,
    expected: first?.expected,
    actual: first?.actual,
  });
}

function isCheck(check: Failure["check"]): check is CheckName {
  return check !== "unreadable" && check !== "internal error";
}

/** The error of an image that has nothing of what was wanted. */
export function nothingFound(wanted: Wanted, found: { name: string; otherTypes: readonly string[] }): TsignError {
  const { name, otherTypes } = found;
  if (wanted.kind === "signatures") return new TsignError("no-signatures", `no signatures found for ${name}`);
  if (otherTypes.length === 0) {
    return new TsignError("no-match-bundle", `no matching attestations: ${name} has none`);
  }
  return new TsignError(
    "no-match-bundle",
    `none of the attestations of ${name} matched the predicate type: ${wanted.predicateType}, found: ` +
      printable(otherTypes.join(",")),
  );
}
