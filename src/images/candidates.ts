import { TsignError } from "../errors.ts";
import { findEvidence } from "../evidence/find/find.ts";
import { unreadable } from "../evidence/find/layers.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence, Found, Unreadable } from "../evidence/model.ts";
import { readStatement } from "../evidence/statement.ts";
import type { Digest } from "../format/digest.ts";
import type { ImageStore } from "../oci/types.ts";
import { isVerified, type Verdict, type Verified } from "../verify/verify.ts";
import { isFromBundle } from "./log-lookup.ts";
import { type Failure, failureOf, type Wanted } from "./verdict.ts";

/** Options for finding signatures and attestations of an image. */
export interface SearchOptions {
  readonly wanted: Wanted;
  /** Whether to look for Sigstore bundles, besides the legacy tags. */
  readonly bundles: boolean;
  /** Prefix of the legacy tags; usually empty. */
  readonly tagPrefix: string;
  /** Largest payload or bundle, in bytes. */
  readonly maxBytes: number;
  /** Most concurrent fetches. */
  readonly workers: number;
}

/** Finds the signatures or attestations stored with an image, in either form. */
export function findStored(
  target: { readonly attachments: ImageStore; readonly digest: Digest },
  options: SearchOptions,
  forms: { readonly legacy: boolean; readonly bundle: boolean } = { legacy: true, bundle: options.bundles },
): AsyncGenerator<Found, void, undefined> {
  const { wanted, tagPrefix, maxBytes, workers } = options;
  const attachment = wanted.kind === "signatures" ? "sig" : "att";
  return findEvidence(target.attachments, { subject: target.digest, forms, attachment, tagPrefix, maxBytes, workers });
}

/**
 * Whether a candidate has the wanted kind. An unreadable one may have: it is kept, and fails.
 *
 * @param onOther called with the predicate type of a statement of another type
 */
export function isWanted(
  candidate: Evidence | Unreadable,
  wanted: Wanted,
  onOther: (predicateType: string) => void,
): boolean {
  if ("unreadable" in candidate) return true;
  if (wanted.kind === "attestations" && candidate.content.kind !== "dsse") return false;
  const predicateType = predicateTypeIn(candidate);
  const expected = wanted.kind === "signatures" ? SIGN_PREDICATE_TYPE : wanted.predicateType;
  if (predicateType === undefined || predicateType === expected) return true;
  onOther(predicateType);
  return false;
}

/** The predicate type of a candidate's statement; undefined for other content, and a malformed statement. */
function predicateTypeIn(candidate: Evidence): string | undefined {
  if (candidate.content.kind !== "dsse") return undefined;
  try {
    return readStatement(candidate.content).predicateType;
  } catch (error) {
    if (error instanceof TsignError) return undefined; // `verify` reports the malformed statement
    throw error;
  }
}

/**
 * Verifies candidates one by one and collects the results. An error while verifying one, such as an unreachable log, fails only
 * that candidate. So does a defect of tsign; if no candidate verifies, the defect is reported instead of a bad signature.
 */
export class CandidateVerifier {
  readonly verified: Verified[] = [];
  readonly failures: Failure[] = [];
  readonly #signal: AbortSignal;
  readonly #verify: (evidence: Evidence) => Promise<Verdict>;
  #nearest: { readonly failure: Failure; readonly progress: number } | undefined;
  #defect: Unreadable["defect"];

  /** @param signal after it is aborted, errors are rethrown and fail no candidate */
  constructor(signal: AbortSignal, verify: (evidence: Evidence) => Promise<Verdict>) {
    this.#signal = signal;
    this.#verify = verify;
  }

  get count(): number {
    return this.verified.length + this.failures.length;
  }

  /** The failure of the candidate whose verification came furthest, the first of several. */
  get nearest(): Failure | undefined {
    return this.#nearest?.failure;
  }

  /** The first exception caused by a defect of tsign. */
  get defect(): { readonly error: unknown } | undefined {
    return this.#defect;
  }

  async add(candidate: Evidence | Unreadable): Promise<void> {
    const result = "unreadable" in candidate ? candidate : await this.#attempt(candidate);
    if (isVerified(result)) {
      this.verified.push(result);
      return;
    }
    const form = "unreadable" in candidate ? undefined : isFromBundle(candidate) ? "bundle" : "legacy";
    const failure = failureOf(result, form);
    this.failures.push(failure);
    const progress = progressOf(failure);
    if (progress > (this.#nearest?.progress ?? -1)) this.#nearest = { failure, progress };
    if ("unreadable" in result) this.#defect ??= result.defect;
  }

  async #attempt(candidate: Evidence): Promise<Verdict | Unreadable> {
    try {
      return await this.#verify(candidate);
    } catch (error) {
      if (this.#signal.aborted) throw error;
      return unreadable(candidate.origin, error);
    }
  }
}

/** Positions of the checks in the order in which `verify` makes them. */
const POSITION: Readonly<Record<Failure["check"], number>> = {
  unreadable: 0,
  "internal error": 0,
  log: 0,
  signature: 1,
  time: 2,
  key: 3,
  sct: 4,
  claims: 5,
  identity: 6,
};

/** How far a failed candidate came: 0 if its first check failed or it is unreadable, otherwise the position of that check. */
function progressOf({ check, checks }: Pick<Failure, "check" | "checks">): number {
  return checks.length < 2 ? 0 : POSITION[check];
}

/** Failed candidates by how many checks they passed, the most first. */
export function nearestFirst(failures: readonly Failure[]): Failure[] {
  return failures.toSorted((one, other) => progressOf(other) - progressOf(one));
}
