import { type ErrorCode, TsignError } from "../errors.ts";
import type { Incomplete, Origin, Unreadable } from "../evidence/model.ts";
import type { Digest } from "../format/digest.ts";
import { printable } from "../format/printable.ts";
import type { Check, CheckName } from "../verify/model.ts";
import type { Refused, Verified } from "../verify/verify.ts";

/** What to look for. An attestation is not a signature of the image: its statement has another predicate type. */
export type Wanted =
  | { readonly kind: "signatures" }
  /** `predicateType`: the required predicate type of the statement, a URI. */
  | { readonly kind: "attestations"; readonly predicateType: string };

/** A signature or attestation that does not verify. */
export interface Failure {
  readonly origin: Origin;
  /** The failed check; "unreadable" for malformed content, and after a failed request to a service. */
  readonly check: CheckName | "unreadable" | "internal error";
  /** Safe for a terminal: control characters in quoted content are escaped. */
  readonly reason: string;
  /** The required and the found value, if the check compares values; not escaped. */
  readonly expected?: string;
  readonly actual?: string;
  /** What to do about it. */
  readonly hint?: string;
  /** How it is stored. */
  readonly form: StoredForm;
  /** All checks that were made, in order; the failed one is the last. Empty for malformed content. */
  readonly checks: readonly Check[];
}

/** How a signature is stored; undefined if it cannot be read. */
export type StoredForm = "bundle" | "legacy" | undefined;

/** A place that could not be searched. */
export interface MissedPlace {
  readonly origin: Origin;
  /** Code of the error: "network", "auth", "registry", "limit" and so on. */
  readonly code: ErrorCode;
  readonly reason: string;
}

/** What an image has instead of the wanted signatures or attestations. */
export type Instead =
  | { readonly kind: "nothing" }
  /** Attestations of other predicate types. */
  | { readonly kind: "other-types"; readonly predicateTypes: readonly string[] }
  /** The wanted ones, in bundles, which the options exclude. */
  | { readonly kind: "bundles" }
  /** The wanted ones, stored with an image of the index; `platform` is `os/architecture` or empty. */
  | { readonly kind: "child"; readonly digest: Digest; readonly platform: string };

/** A verified attestation that does not satisfy the policy for its statement. */
export interface Unsatisfied {
  readonly origin: Origin;
  readonly reasons: readonly string[];
}

interface Judged {
  /** Name of the target. */
  readonly image: string;
  readonly digest: Digest;
  /** Number of candidates. */
  readonly count: number;
  /** In the order they were found. */
  readonly failures: readonly Failure[];
  /** Places that could not be searched. They do not prevent an image from being accepted. */
  readonly incomplete: readonly MissedPlace[];
}

/** An image with at least one verified signature or attestation. */
export interface Accepted extends Judged {
  readonly ok: true;
  /** The verified ones, in the order they were found. */
  readonly verified: readonly [Verified, ...Verified[]];
}

/** An image without a verified signature or attestation. */
export interface Rejected extends Judged {
  readonly ok: false;
  readonly verified: readonly [];
  /**
   * The reason: a TsignError "image-not-found", "no-signatures", "no-match" (legacy form), "no-match-bundle", "policy", or the
   * error of a place that could not be searched; for a defect of tsign, the exception itself.
   */
  readonly error: unknown;
  /** Only if there were no candidates. */
  readonly instead?: Instead;
  /** Only if attestations verify but do not satisfy the policy. */
  readonly unsatisfied?: readonly Unsatisfied[];
}

/** The result for an image: plain data, except for the verified signatures, which only `verify` can create. */
export type ImageVerdict = Accepted | Rejected;

/** Describes a failed candidate. */
export function failureOf(candidate: Refused | Unreadable, form: StoredForm): Failure {
  const { origin } = candidate;
  if ("unreadable" in candidate) {
    const check = candidate.defect ? "internal error" : "unreadable";
    return { origin, check, reason: printable(candidate.unreadable), form, checks: [] };
  }
  const { name, detail, outcome: _, ...compared } = candidate.failed;
  return { origin, check: name, reason: printable(detail), ...compared, form, checks: candidate.checks };
}

/** Describes a place that could not be searched. */
export function missedPlace({ origin, incomplete: { code, message } }: Incomplete): MissedPlace {
  return { origin, code, reason: printable(message) };
}

/**
 * The error for an image whose signatures or attestations all failed. Its reason and fields are those of the nearest miss.
 *
 * @param found.count number of candidates
 * @param found.nearest the failure of the candidate whose verification came furthest
 */
export function noMatch(
  wanted: Wanted,
  found: { name: string; count: number; nearest: Failure | undefined; legacy: boolean },
): TsignError {
  const { name, count, nearest, legacy } = found;
  const code = wanted.kind === "signatures" && legacy ? "no-match" : "no-match-bundle";
  const closest = `${count === 1 ? "" : "nearest match: "}${nearest?.check}: ${nearest?.reason}`;
  return new TsignError(code, `no matching ${wanted.kind}: ${count} found for ${name}, none verified (${closest})`, {
    check: nearest && isCheck(nearest.check) ? nearest.check : undefined,
    expected: nearest?.expected,
    actual: nearest?.actual,
    hint: nearest?.hint,
  });
}

function isCheck(check: Failure["check"]): check is CheckName {
  return check !== "unreadable" && check !== "internal error";
}

/** The error for an image without the wanted signatures or attestations. */
export function nothingFound(wanted: Wanted, found: { name: string; otherTypes: readonly string[] }): TsignError {
  const { name, otherTypes } = found;
  if (wanted.kind === "signatures") return new TsignError("no-signatures", `no signatures found for ${name}`);
  if (otherTypes.length === 0) {
    return new TsignError("no-match-bundle", `no matching attestations: no attestations found for ${name}`);
  }
  return new TsignError(
    "no-match-bundle",
    `none of the attestations of ${name} matched the predicate type: ${wanted.predicateType}, found: ` +
      printable(otherTypes.join(",")),
  );
}
