import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { type HashName, messageOfDigests, parseDigest } from "../format/digest.ts";
import { withParts } from "../format/parts.ts";
import { localTarget } from "../images/local.ts";
import type { Io } from "../io/io.ts";
import { parseReference } from "../oci/ref.ts";
import { type Decided, decideFile, decideImage, decideSavedImage } from "./decide.ts";
import type { Decision } from "./decision.ts";
import type { PolicyCase, TrustPolicy } from "./model.ts";
import { readBundles } from "./saved.ts";
import { PolicySources, pathBeside } from "./sources.ts";

/** Largest file of bundles, in bytes. */
const MAX_BUNDLES = 128 * 1024 * 1024;

/** The outcome of a case. */
export interface CaseOutcome {
  readonly name: string;
  readonly place: string;
  /** Why it failed; empty if it passed. */
  readonly faults: readonly string[];
  readonly decision: Decision | undefined;
}

/**
 * Decides on a case without the network: only the saved signatures, and the keys and trusted roots in files. An error in them
 * fails the case.
 *
 * @throws what is not a TsignError: a defect of tsign
 */
export async function runCase(io: Io, policy: TrustPolicy, one: PolicyCase): Promise<CaseOutcome> {
  const { name, place } = one;
  try {
    const { decision } = await decideCase(offline(io, one.at), policy, one);
    return { name, place, faults: faultsOf(decision, one), decision };
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
    return { name, place, faults: [error.message], decision: undefined };
  }
}

/** What a decision means, in the words of `expect`. */
export function outcomeOf({ ok, allowed, effect }: Decision): PolicyCase["expect"] {
  if (ok) return "accept";
  return allowed && effect !== "enforce" ? effect : "refuse";
}

function faultsOf(decision: Decision, { expect, rule, reason }: PolicyCase): string[] {
  const outcome = outcomeOf(decision);
  const { reasons, demands } = decision;
  const all = [
    ...reasons,
    ...demands
      .flatMap(({ found }) =>
        found.flatMap(({ notCounted, nearest }) => [...notCounted, ...(nearest ? [nearest] : [])]),
      )
      .flatMap((each) => each.reasons),
  ];
  const why = outcome === "accept" || reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
  return [
    ...(outcome === expect ? [] : [`decision mismatch: got ${outcome}${why}, want ${expect}`]),
    ...(rule === undefined || decision.rule?.name === rule
      ? []
      : [`rule mismatch: got ${decision.rule?.name ?? "none"}, want ${rule}`]),
    ...(reason === undefined || all.some((text) => text.includes(reason))
      ? []
      : [`reason mismatch: got "${all.join("; ")}", want "${reason}"`]),
  ];
}

async function decideCase(io: Io, policy: TrustPolicy, one: PolicyCase): Promise<Decided> {
  const { subject, layout, bundles, path } = one;
  const sources = new PolicySources(io, policy, () => {});
  if (subject.kind === "image" && layout !== undefined) {
    const ref = parseReference(subject.reference);
    const target = { ...(await localTarget(io, pathBeside(path, layout))), name: subject.reference };
    if (ref.digest !== undefined && ref.digest !== target.digest) {
      throw new TsignError("input", `digest mismatch: got ${target.digest} in ${layout}, want ${ref.digest}`);
    }
    const options = { maxBytes: MAX_BUNDLES, workers: 1, tagPrefix: "", rekorUrl: undefined };
    return decideImage(io, sources, { policy, ref, target }, options);
  }
  const evidence: Evidence[] = [];
  for (const each of bundles) {
    const file = pathBeside(path, each);
    evidence.push(...readBundles(await io.files.read(file, { maxBytes: MAX_BUNDLES }), each));
  }
  if (subject.kind === "file") {
    const { algorithm, bytes } = parseDigest(subject.digest);
    const message = messageOfDigests(new Map<HashName, Uint8Array>([[algorithm, bytes]]));
    return decideFile(io, sources, { policy, path: subject.file, message, evidence });
  }
  const { digest } = subject;
  if (digest === undefined) throw new TsignError("internal", "a case about an image has no digest");
  return decideSavedImage(io, sources, { policy, ref: parseReference(subject.reference), digest, evidence });
}

/** The Io of a case: its time, and no network. */
function offline(io: Io, at: Date | undefined): Io {
  const refuse = (what: string) =>
    Promise.reject(
      new TsignError("input", `connect to ${what}: a policy is tested without the network`, {
        hint: "use keys and trusted roots in files: trust: {default: {trustedRoot: trusted_root.json}}",
      }),
    );
  const parts: Partial<Io> = {
    ...(at === undefined ? {} : { now: () => at }),
    http: ({ url }) => refuse(url.origin),
    unixCall: ({ socket }) => refuse(socket),
  };
  return withParts(io, parts);
}
