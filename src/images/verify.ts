import { TsignError, withMessage } from "../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence, Found } from "../evidence/model.ts";
import type { TransportIo } from "../net/retry.ts";
import { PathBudget } from "../trust/path-budget.ts";
import type { ClaimsPolicy, Policy, TrustMaterial } from "../verify/model.ts";
import { type Verdict, type Verified, verify } from "../verify/verify.ts";
import { verifyForAny } from "./any-signer.ts";
import { noSuchImage } from "./below.ts";
import { CandidateVerifier, findStored, isWanted, type SearchOptions } from "./candidates.ts";
import { findInstead } from "./instead.ts";
import { isFromBundle, withLoggedEntry } from "./log-lookup.ts";
import type { ImageTarget } from "./open.ts";
import {
  type ImageVerdict,
  type Instead,
  type MissedPlace,
  missedPlace,
  noMatch,
  nothingFound,
  type Rejected,
  type Unsatisfied,
  type Wanted,
} from "./verdict.ts";

/** Options for verifying an image. */
export interface VerifyImageOptions extends SearchOptions {
  readonly trust: TrustMaterial;
  /** What a signature must satisfy. `wanted` determines the predicate type. */
  readonly policy: Omit<Policy, "claims"> & { readonly claims: Omit<ClaimsPolicy, "predicateTypes"> };
  /** Signers that are accepted besides the policy's. */
  readonly alternatives?: readonly Policy["signer"][] | undefined;
  /** A certificate to use instead of the one stored with each signature. */
  readonly certificate?: Extract<Evidence["key"], { kind: "certificate" }> | undefined;
  /** http(s) URL of a Rekor v1 for log entries of legacy signatures stored without one; undefined to fetch none. */
  readonly rekorUrl: string | undefined;
  /** Signatures to verify instead of those stored with the image. */
  readonly given?: readonly Evidence[] | undefined;
  /**
   * Checks the statement (JSON as it was signed) of each verified attestation; every one must satisfy it. For CUE and Rego
   * policies see src/policy.
   */
  readonly satisfies?:
    | ((statement: Uint8Array) => Promise<{ readonly ok: true } | { readonly ok: false; readonly reasons: string[] }>)
    | undefined;
}

/**
 * Verifies one image: finds its signatures or attestations, skips those of another kind, fetches missing log entries, and
 * verifies each one. One that verifies is enough; the verdict also lists failed ones and places that could not be searched. If
 * none verifies, the verdict has the reason.
 *
 * Prints nothing, and keeps no state between images.
 *
 * @param io `signal`: errors after it is aborted end the verification and fail no candidate
 * @throws TsignError the store's errors when looking up the image; the reason of `signal`; and the errors of `satisfies`
 */
export async function verifyImage(
  io: TransportIo,
  target: ImageTarget,
  options: VerifyImageOptions,
): Promise<ImageVerdict> {
  const policy = policyWithType(options);
  // Budgets are per image and signer, so that hostile chains of one image do not affect others.
  const signers = [policy.signer, ...(options.alternatives ?? [])];
  const attempts = signers.map((signer) => ({
    policy: { ...policy, signer },
    trust: { ...options.trust, budget: new PathBudget() },
  }));
  const candidates = new CandidateVerifier(io.signal, (candidate) =>
    verifyForAny(
      signers,
      (_, index) =>
        verifyCandidate(io, candidate, { target, ...(attempts[index] as (typeof attempts)[number]), options }),
      io.signal,
    ),
  );
  const otherTypes = new Set<string>();
  const incomplete: MissedPlace[] = [];
  let missed: TsignError | undefined;
  let legacy = false;
  for await (const found of findCandidates(target, options)) {
    if ("incomplete" in found) {
      incomplete.push(missedPlace(found));
      missed ??= found.incomplete;
    } else if (isWanted(found, options.wanted, (type) => otherTypes.add(type))) {
      legacy ||= found.origin.kind === "sig-tag" || found.origin.kind === "file";
      await candidates.add(found);
    }
  }
  const { count, verified, failures, nearest, defect } = candidates;
  const result = { image: target.name, digest: target.digest, count, failures, incomplete };
  const [first, ...others] = verified;
  if (first) return await withPolicies({ ...result, ok: true, verified: [first, ...others] }, options);
  const rejected = { ...result, ok: false, verified: [] } as const;
  // A defect or an incomplete search comes first: neither "no signatures" nor "bad signature" would be certain.
  if (defect) return { ...rejected, error: defect.error };
  if (missed) return { ...rejected, error: missed };
  if (count > 0) return { ...rejected, error: noMatch(options.wanted, { name: target.name, count, nearest, legacy }) };
  return { ...rejected, ...(await explainAbsence(io, target, { options, otherTypes: [...otherTypes] })) };
}

function policyWithType({ policy, wanted }: VerifyImageOptions): Policy {
  return { ...policy, claims: { ...policy.claims, predicateTypes: [predicateTypeOf(wanted)] } };
}

/** The required predicate type, which also keeps attestations from counting as signatures. */
function predicateTypeOf(wanted: Wanted): string {
  return wanted.kind === "signatures" ? SIGN_PREDICATE_TYPE : wanted.predicateType;
}

/** The signatures from the options, or those stored with the image. */
function findCandidates(target: ImageTarget, options: VerifyImageOptions): AsyncIterable<Found> | Iterable<Found> {
  return options.given ?? findStored(target, options);
}

/**
 * Verifies one signature or attestation of an image, after fetching its log entry if it is legacy and was stored without one.
 *
 * @param context.policy includes the predicate type, which keeps attestations from counting as signatures
 * @throws TsignError the errors of the log that is asked
 */
export async function verifyCandidate(
  io: TransportIo,
  candidate: Evidence,
  context: {
    target: Pick<ImageTarget, "digest">;
    policy: Policy;
    trust: TrustMaterial;
    options: Pick<VerifyImageOptions, "certificate" | "rekorUrl">;
  },
): Promise<Verdict> {
  const { target, policy, trust, options } = context;
  const { certificate, rekorUrl } = options;
  const claimed = certificate ? { ...candidate, key: certificate } : candidate;
  const logged = isFromBundle(candidate) ? claimed : await fetchEntry(io, claimed, { policy, rekorUrl });
  return verify(logged, { kind: "image", digest: target.digest }, trust, policy);
}

/** The candidate with its log entry, fetched if it was stored without one. */
async function fetchEntry(
  io: TransportIo,
  candidate: Evidence,
  options: { policy: Policy; rekorUrl: string | undefined },
): Promise<Evidence> {
  try {
    return await withLoggedEntry(io, candidate, options);
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
    throw withMessage(error, `fetch missing log entry: ${error.message}`);
  }
}

/** Rejects the image if a verified attestation does not satisfy the policies. */
async function withPolicies(
  verdict: Extract<ImageVerdict, { ok: true }>,
  { satisfies }: VerifyImageOptions,
): Promise<ImageVerdict> {
  if (!satisfies) return verdict;
  const unsatisfied: Unsatisfied[] = [];
  for (const verified of verdict.verified) {
    const outcome = await satisfies(statementOf(verified));
    if (!outcome.ok) unsatisfied.push({ origin: verified.origin, reasons: outcome.reasons });
  }
  if (unsatisfied.length === 0) return verdict;
  const text = `${unsatisfied.length} of ${verdict.verified.length} attestations do not satisfy the policies`;
  return { ...verdict, ok: false, verified: [], error: new TsignError("policy", text), unsatisfied };
}

function statementOf({ content, origin }: Verified): Uint8Array {
  if (content.kind !== "statement") throw new TsignError("internal", `${origin.where} is not an attestation`);
  return content.payload;
}

/** The reason and what was found instead, for an image without candidates. */
async function explainAbsence(
  io: TransportIo,
  target: ImageTarget,
  { options, otherTypes }: { options: VerifyImageOptions; otherTypes: readonly string[] },
): Promise<Pick<Rejected, "error" | "instead">> {
  if (!(await target.store.resolve(target.digest))) {
    return { error: noSuchImage(target.name) };
  }
  const instead: Instead =
    otherTypes.length > 0
      ? { kind: "other-types", predicateTypes: otherTypes }
      : await findInstead(io, target, options);
  return { error: nothingFound(options.wanted, { name: target.name, otherTypes }), instead };
}
