import { TsignError } from "../errors.ts";
import { findEvidence } from "../evidence/find/find.ts";
import { unreadable } from "../evidence/find/layers.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence, Found, Unreadable } from "../evidence/model.ts";
import { readStatement } from "../evidence/statement.ts";
import type { Digest } from "../format/digest.ts";
import type { ImageStore } from "../oci/types.ts";
import { isVerified, type Verdict, type Verified } from "../verify/verify.ts";
import { type Failure, failureOf, type Wanted } from "./verdict.ts";

/** How what is stored with an image is looked through. */
export interface SearchOptions {
  readonly wanted: Wanted;
  /** Whether Sigstore bundles count, besides what lies under the legacy tags. */
  readonly bundles: boolean;
  /** Put before the names of the legacy tags; usually empty. */
  readonly tagPrefix: string;
  /** Largest payload or bundle, in bytes. */
  readonly maxBytes: number;
  /** Most fetches at a time. */
  readonly workers: number;
}

/** What is stored with an image, in either form. */
export function storedWith(
  target: { readonly attachments: ImageStore; readonly digest: Digest },
  options: SearchOptions,
  forms: { readonly legacy: boolean; readonly bundle: boolean } = { legacy: true, bundle: options.bundles },
): AsyncGenerator<Found, void, undefined> {
  const { wanted, tagPrefix, maxBytes, workers } = options;
  const attachment = wanted.kind === "signatures" ? "sig" : "att";
  return findEvidence(target.attachments, { subject: target.digest, forms, attachment, tagPrefix, maxBytes, workers });
}

/**
 * Whether a candidate is of the kind that is wanted. What cannot be read may be: it is judged, and fails.
 *
 * @param onOther told the predicate type of a statement that is not
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

/** The predicate type of a candidate's statement; undefined for what is no statement, or none that can be read. */
function predicateTypeIn(candidate: Evidence): string | undefined {
  if (candidate.content.kind !== "dsse") return undefined;
  try {
    return readStatement(candidate.content).predicateType;
  } catch (error) {
    if (error instanceof TsignError) return undefined; // verify says what is wrong with it
    throw error;
  }
}

/**
 * Judges candidates one by one and keeps what became of them. One that cannot be judged, because a log cannot be asked, say,
 * fails and hides no other. So does one that a defect of tsign stands in the way of; but where none verifies that defect is
 * what is reported, and not a bad signature.
 */
export class Judging {
  readonly verified: Verified[] = [];
  readonly failures: Failure[] = [];
  readonly #signal: AbortSignal;
  readonly #judge: (evidence: Evidence) => Promise<Verdict>;
  #defect: Unreadable["defect"];

  /** @param signal once it is aborted what is thrown for a candidate is no candidate's fault and is thrown on */
  constructor(signal: AbortSignal, judge: (evidence: Evidence) => Promise<Verdict>) {
    this.#signal = signal;
    this.#judge = judge;
  }

  get count(): number {
    return this.verified.length + this.failures.length;
  }

  /** What was thrown for the first candidate that a defect of tsign stood in the way of. */
  get defect(): { readonly error: unknown } | undefined {
    return this.#defect;
  }

  async add(candidate: Evidence | Unreadable): Promise<void> {
    const judged = "unreadable" in candidate ? candidate : await this.#attempt(candidate);
    if (isVerified(judged)) {
      this.verified.push(judged);
      return;
    }
    this.failures.push(failureOf(judged));
    if ("unreadable" in judged) this.#defect ??= judged.defect;
  }

  async #attempt(candidate: Evidence): Promise<Verdict | Unreadable> {
    try {
      return await this.#judge(candidate);
    } catch (error) {
      if (this.#signal.aborted) throw error;
      return unreadable(candidate.origin, error);
    }
  }
}
