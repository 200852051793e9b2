import { TsignError, withMessage } from "../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence, Found } from "../evidence/model.ts";
import type { TransportIo } from "../net/retry.ts";
import { PathBudget } from "../trust/path-budget.ts";
import type { ClaimsPolicy, Policy, TrustMaterial } from "../verify/model.ts";
import { type Verdict, type Verified, verify } from "../verify/verify.ts";
import { noSuchImage } from "./below.ts";
import { isWanted, Judging, type SearchOptions, storedWith } from "./candidates.ts";
import { lookElsewhere } from "./instead.ts";
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

/** What an image is verified by. */
export interface VerifyImageOptions extends SearchOptions {
  readonly trust: TrustMaterial;
  /** What has to hold of a signature. Which predicate types count is said by `wanted`. */
  readonly policy: Omit<Policy, "claims"> & { readonly claims: Omit<ClaimsPolicy, "predicateTypes"> };
  /** A certificate to verify with in place of the one stored with each signature. */
  readonly certificate?: Extract<Evidence["key"], { kind: "certificate" }> | undefined;
  /** http(s) URL of the Rekor v1 that legacy signatures without their entry are looked up in; undefined to look none up. */
  readonly rekorUrl: string | undefined;
  /** Signatures the caller has, judged in place of those stored with the image. */
  readonly given?: readonly Evidence[] | undefined;
  /**
   * Judges the statement (JSON as it was signed) of each attestation that verifies: all of them have to satisfy it. CUE and
   * Rego are in src/policy.
   */
  readonly satisfies?:
    | ((statement: Uint8Array) => Promise<{ readonly ok: true } | { readonly ok: false; readonly reasons: string[] }>)
    | undefined;
}

/**
 * Verifies one image: finds what is stored with it, leaves out what is of another kind, looks log entries up where they are
 * missing, and has `verify` judge each. One that verifies is enough; others that fail, and places that could not be looked
 * through, are told beside it. Where none verifies, the verdict says why.
 *
 * Nothing is printed, and nothing is remembered from one image to the next.
 *
 * @param io `signal`: what is thrown after it is aborted ends the verification and is no candidate's failure
 * @throws TsignError what the store throws when asked whether the image exists; the reason of `signal`; and what
 * `satisfies` throws
 */
export async function verifyImage(
  io: TransportIo,
  target: ImageTarget,
  options: VerifyImageOptions,
): Promise<ImageVerdict> {
  const policy = wholePolicy(options);
  const trust = { ...options.trust, budget: new PathBudget() }; // hostile chains of one image cost no other its path
  const judging = new Judging(io.signal, (candidate) => judge(io, candidate, { target, policy, trust, options }));
  const otherTypes = new Set<string>();
  const incomplete: MissedPlace[] = [];
  let missed: TsignError | undefined;
  let legacy = false;
  for await (const found of candidates(target, options)) {
    if ("incomplete" in found) {
      incomplete.push(missedPlace(found));
      missed ??= found.incomplete;
    } else if (isWanted(found, options.wanted, (type) => otherTypes.add(type))) {
      legacy ||= found.origin.kind === "sig-tag" || found.origin.kind === "file";
      await judging.add(found);
    }
  }
  const { count, verified, failures } = judging;
  const judged = { image: target.name, digest: target.digest, count, failures, incomplete };
  const [first, ...others] = verified;
  if (first) return await withStatements({ ...judged, ok: true, verified: [first, ...others] }, options);
  const rejected = { ...judged, ok: false, verified: [] } as const;
  // What could not be asked or judged goes first: "there are none", or "a bad signature", cannot be said then.
  if (judging.defect) return { ...rejected, error: judging.defect.error };
  if (missed) return { ...rejected, error: missed };
  if (count > 0) return { ...rejected, error: noMatch(options.wanted, { name: target.name, failures, legacy }) };
  return { ...rejected, ...(await whyNothing(io, target, { options, otherTypes: [...otherTypes] })) };
}

function wholePolicy({ policy, wanted }: VerifyImageOptions): Policy {
  return { ...policy, claims: { ...policy.claims, predicateTypes: [predicateTypeOf(wanted)] } };
}

/** Whatever is not compared with the image: an attestation is no signature, and one of another type is not the one wanted. */
function predicateTypeOf(wanted: Wanted): string {
  return wanted.kind === "signatures" ? SIGN_PREDICATE_TYPE : wanted.predicateType;
}

function candidates(target: ImageTarget, options: VerifyImageOptions): AsyncIterable<Found> | Iterable<Found> {
  return options.given ?? storedWith(target, options);
}

async function judge(
  io: TransportIo,
  candidate: Evidence,
  context: { target: ImageTarget; policy: Policy; trust: TrustMaterial; options: VerifyImageOptions },
): Promise<Verdict> {
  const { target, policy, trust, options } = context;
  const { certificate, rekorUrl } = options;
  const claimed = certificate ? { ...candidate, key: certificate } : candidate;
  const logged = isFromBundle(candidate) ? claimed : await lookUp(io, claimed, { policy, rekorUrl });
  return verify(logged, { kind: "image", digest: target.digest }, trust, policy);
}

/** The candidate with its log entry, looked up where it came without one. */
async function lookUp(
  io: TransportIo,
  candidate: Evidence,
  options: { policy: Policy; rekorUrl: string | undefined },
): Promise<Evidence> {
  try {
    return await withLoggedEntry(io, candidate, options);
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
    throw withMessage(error, `it came without its log entry, and ${error.message}`);
  }
}

/** The same verdict, unless a statement of what verifies does not satisfy the policy. */
async function withStatements(
  verdict: Extract<ImageVerdict, { ok: true }>,
  { satisfies }: VerifyImageOptions,
): Promise<ImageVerdict> {
  if (!satisfies) return verdict;
  const unsatisfied: Unsatisfied[] = [];
  for (const verified of verdict.verified) {
    const judgement = await satisfies(statementOf(verified));
    if (!judgement.ok) unsatisfied.push({ origin: verified.origin, reasons: judgement.reasons });
  }
  if (unsatisfied.length === 0) return verdict;
  const text = `${unsatisfied.length} of ${verdict.verified.length} attestations do not satisfy the policies`;
  return { ...verdict, ok: false, verified: [], error: new TsignError("policy", text), unsatisfied };
}

function statementOf({ content, origin }: Verified): Uint8Array {
  if (content.kind !== "statement") throw new TsignError("internal", `${origin.where} is not an attestation`);
  return content.payload;
}

/** Why nothing was found that could have been judged. */
async function whyNothing(
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
      : await lookElsewhere(io, target, options);
  return { error: nothingFound(options.wanted, { name: target.name, otherTypes }), instead };
}
