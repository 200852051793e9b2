import type { Evidence, Found } from "../evidence/model.ts";
import { type Digest, type Message, parseDigest } from "../format/digest.ts";
import { findStored, type SearchOptions } from "../images/candidates.ts";
import { withLoggedEntry } from "../images/log-lookup.ts";
import type { ImageTarget } from "../images/open.ts";
import { verifyCandidate } from "../images/verify.ts";
import type { Io } from "../io/io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { formatReference, type Reference } from "../oci/ref.ts";
import type { ImageStore } from "../oci/types.ts";
import type { Log } from "../trust/material.ts";
import { type Verified, verify } from "../verify/verify.ts";
import { type Concluding, conclude, UNPINNED } from "./conclude.ts";
import { containedDigests } from "./contained.ts";
import type { Decision } from "./decision.ts";
import { matchesFile, matchesImage } from "./image-names.ts";
import { type JudgeContext, type Judged, judgeDemand, type VerifyCandidate, wantedBy } from "./judge.ts";
import type { Demand, Rule, TrustPolicy } from "./model.ts";
import type { PolicySources } from "./sources.ts";

/** How the signatures of an image are found. */
export interface DecideOptions {
  readonly maxBytes: number;
  readonly workers: number;
  readonly tagPrefix: string;
  /** URL of a Rekor v1 for log entries of legacy signatures stored without one; undefined to fetch none. */
  readonly rekorUrl: string | undefined;
}

/** Most concurrent fetches of the signatures of one image. */
const WORKERS = 10;

/** How commands that decide by a policy alone find signatures. @throws TsignError "input" for an invalid COSIGN_MAX_ATTACHMENT_SIZE */
export function decideOptions(env: Io["env"]): DecideOptions {
  return { maxBytes: maxAttachmentSize(env), workers: WORKERS, tagPrefix: "", rekorUrl: undefined };
}

/** A decision, with the signatures that meet its demands. */
export interface Decided {
  readonly decision: Decision;
  readonly verified: readonly Verified[];
  /** What they were read from. */
  readonly evidence: readonly Evidence[];
  /** The logs that were trusted, to name the log of an entry. */
  readonly logs: readonly Log[];
  /** The error of the first place that could not be searched, if the demands are not met. */
  readonly missed: unknown;
}

/** The rule that decides on an image: the first one with a pattern that matches. */
export function ruleForImage({ rules }: TrustPolicy, ref: Reference): Rule | undefined {
  return rules.find(({ images }) => images.some((pattern) => matchesImage(pattern, ref)));
}

/** The rule that decides on a file, by its name without its folder. */
export function ruleForFile({ rules }: TrustPolicy, path: string): Rule | undefined {
  return rules.find(({ files }) => files.some((pattern) => matchesFile(pattern, path)));
}

/**
 * Decides on an image. Every signature goes through `verify`, for every signer that the rule names.
 *
 * Where the image is read at a mirror, its source is searched too unless what the mirror has suffices.
 *
 * @param image.ref as the user named the image; it decides which rule applies, and whether the image is pinned
 * @throws TsignError the registry's errors, and those of judgeDemand
 */
export async function decideImage(
  io: Io,
  sources: PolicySources,
  image: { readonly policy: TrustPolicy; readonly ref: Reference; readonly target: ImageTarget },
  options: DecideOptions,
): Promise<Decided> {
  const { policy, ref, target } = image;
  const check: VerifyCandidate = (evidence, trust, with_) =>
    verifyCandidate(io, evidence, {
      target,
      trust,
      policy: with_,
      options: { certificate: undefined, rekorUrl: options.rekorUrl },
    });
  const rule = ruleOf(policy, ref, await containedDigests(target, policy.denied));
  const named = { subject: target.name, digest: target.digest };
  const decideWith = (stores: readonly ImageStore[]) => {
    const candidates = (demand: Demand) =>
      findIn(stores, { digest: target.digest, ...options, bundles: true, wanted: wantedBy(demand) });
    return decide(io, sources, { policy, named, ref, ...rule, candidates, verify: check });
  };
  const { attachments, moreAttachments: more } = target;
  if (more === undefined) return decideWith([attachments]);
  // A newer scan outvotes an older one, so that a mirror without it would accept what its source refuses.
  const needsAll = rule.rule?.demands.some(({ attestation }) => attestation?.vulnerabilities !== undefined);
  const decided = needsAll ? undefined : await decideWith([attachments]);
  return decided?.decision.ok ? decided : decideWith([attachments, more]);
}

/** Finds signatures or attestations in several stores. */
async function* findIn(
  stores: readonly ImageStore[],
  { digest, ...options }: SearchOptions & { readonly digest: Digest },
): AsyncGenerator<Found, void, undefined> {
  for (const attachments of stores) yield* findStored({ attachments, digest }, options);
}

/** Decides on an image with signatures and attestations from files, without a registry and a log. */
export async function decideSavedImage(
  io: Io,
  sources: PolicySources,
  image: { policy: TrustPolicy; ref: Reference; digest: Digest; evidence: readonly Evidence[] },
): Promise<Decided> {
  const { policy, ref, digest, evidence } = image;
  const check: VerifyCandidate = (each, trust, with_) => verify(each, { kind: "image", digest }, trust, with_);
  const named = { subject: formatReference(ref), digest };
  const rule = ruleOf(policy, ref, new Set([digest]));
  return decide(io, sources, { policy, named, ref, ...rule, candidates: () => evidence, verify: check });
}

/**
 * What the name of an image alone decides: that no rule matches, that the rule refuses every image or demands a digest, or that it
 * accepts anything. A denied digest refuses what a rule lets through, so where any is denied, such an image is looked up: it may contain
 * one, or have one with another hash.
 *
 * @returns undefined if the image's signatures, or its digest, must be looked up
 */
export function decideByName(policy: TrustPolicy, ref: Reference): Decision | undefined {
  const rule = ruleForImage(policy, ref);
  const denied = policy.denied.digests.find(({ digest }) => digest === ref.digest);
  const unpinned = rule?.pinned === true && ref.digest === undefined;
  const isRefused = (unpinned || rule?.refuses !== undefined) && rule.effect === "enforce";
  if (rule !== undefined && !rule.acceptsAnything && !isRefused && denied === undefined) return undefined;
  const mayBeDenied = denied === undefined && policy.denied.digests.length > 0;
  if (mayBeDenied && !isRefused && (rule !== undefined || policy.unmatched !== "enforce")) return undefined;
  const found = ruleOf(policy, ref, new Set(ref.digest === undefined ? [] : [ref.digest]));
  const decision = conclude({ policy, ...found }, []);
  return { subject: formatReference(ref), ...(ref.digest === undefined ? {} : { digest: ref.digest }), ...decision };
}

/** The rule for an image, and why it is refused before any signature is looked at. */
function ruleOf(policy: TrustPolicy, ref: Reference, digests: ReadonlySet<Digest>): Omit<Concluding, "policy"> {
  const rule = ruleForImage(policy, ref);
  const denied = policy.denied.digests.find(({ digest }) => digests.has(digest));
  const unpinned = rule?.pinned === true && ref.digest === undefined ? [UNPINNED] : [];
  return { rule, reasons: unpinned, ...(denied ? { denied: `denied digest: ${denied.reason}` } : {}) };
}

/** A file to decide on. */
export interface FileToDecide {
  readonly policy: TrustPolicy;
  /** Its name decides which rule applies. */
  readonly path: string;
  readonly message: Message;
  /** The signatures and attestations that are given for it. */
  readonly evidence: readonly Evidence[];
  /** URL of a Rekor v1 for log entries of legacy signatures stored without one; undefined to fetch none. */
  readonly rekorUrl?: string | undefined;
}

/**
 * Decides on a file with the signatures or attestations that are given for it.
 *
 * @throws TsignError of judgeDemand
 */
export async function decideFile(io: Io, sources: PolicySources, file: FileToDecide): Promise<Decided> {
  const { policy, path, message, evidence, rekorUrl } = file;
  const check: VerifyCandidate = async (each, trust, with_) => {
    const logged = await withLoggedEntry(io, each, { policy: with_, rekorUrl, blob: message });
    return verify(logged, { kind: "blob", message }, trust, with_);
  };
  const rule = { rule: ruleForFile(policy, path), reasons: [], ...deniedFile(policy, message) };
  const named = { subject: path };
  return decide(io, sources, { policy, named, ...rule, candidates: () => evidence, verify: check });
}

/** Why a file is refused by its digest. A digest that cannot be compared may be the denied one. */
function deniedFile({ denied }: TrustPolicy, message: Message): Pick<Concluding, "denied"> {
  for (const { digest, reason } of denied.digests) {
    const { algorithm, bytes } = parseDigest(digest);
    if (!message.hashes.includes(algorithm)) {
      return {
        denied: `digest mismatch: got ${message.hashes.join(" or ")}, want ${algorithm}, as a denied digest has`,
      };
    }
    if (Buffer.compare(message.digest(algorithm), bytes) === 0) return { denied: `denied digest: ${reason}` };
  }
  return {};
}

interface Deciding extends Concluding {
  /** What is decided on, as the decision names it. */
  readonly named: Pick<Decision, "subject" | "digest">;
  /** The image as the user named it; undefined for a file. */
  readonly ref?: Reference;
  /** The signatures that may meet a demand. */
  readonly candidates: (demand: Demand) => AsyncIterable<Found> | Iterable<Found>;
  readonly verify: VerifyCandidate;
}

async function decide(io: Io, sources: PolicySources, of: Deciding): Promise<Decided> {
  const { policy, rule, denied, named, ref: image, verify: check } = of;
  const context: JudgeContext = { io, policy, sources, now: io.now(), image, verify: check };
  const judged: Judged[] = [];
  if (denied === undefined) {
    for (const demand of rule?.demands ?? []) judged.push(await judgeDemand(of.candidates(demand), demand, context));
  }
  const decision = { ...named, ...conclude(of, judged) };
  const { ok } = decision;
  return {
    decision,
    logs: judged.flatMap(({ logs }) => logs),
    verified: ok ? judged.flatMap(({ verified }) => verified) : [],
    evidence: ok ? [...new Set(judged.flatMap(({ evidence }) => evidence))] : [],
    missed: ok ? undefined : judged.flatMap(({ incomplete }) => incomplete)[0]?.incomplete,
  };
}
