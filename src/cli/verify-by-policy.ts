import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Digest } from "../format/digest.ts";
import { withParts } from "../format/parts.ts";
import { type ImageOutcome, stateOf } from "../images/batch.ts";
import type { ImageTarget } from "../images/open.ts";
import type { ImageVerdict } from "../images/verdict.ts";
import type { Io } from "../io/io.ts";
import { Connections } from "../oci/open.ts";
import { settledInOrder } from "../oci/parallel.ts";
import type { Decided } from "../trust-policy/decide.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import { IMAGE_EXIT_CODES, type ImageVerificationFlags } from "./flags/image-verification.ts";
import { type registryFlags, registryOptions } from "./flags/registry.ts";
import {
  isAttestationOf,
  loadTrustPolicy,
  requireCompatible,
  undemandedType,
  type WantedType,
} from "./options/trust-policy.ts";
import type { Report } from "./parser/define.ts";
import { type DecidedImage, imageRefusal, PolicyDecider } from "./policy-decider.ts";
import { HeldLines } from "./print/held-lines.ts";
import { printDecision } from "./print/trust-decision.ts";
import { printEnvelopes, printJson, printText } from "./print/verified.ts";
import { type ReportingFlags, Results } from "./reports/results.ts";
import { withEnding } from "./stopping.ts";

interface Invoked {
  readonly flags: Pick<ImageVerificationFlags, keyof typeof registryFlags | "maxWorkers" | "offline" | "rekorUrl"> &
    ReportingFlags & { readonly output?: string };
  /** Keys of the flags that were set. */
  readonly given: ReadonlySet<string>;
  /** Path of the trust policy. */
  readonly file: string;
  /** Called once with the result for `--json`, before an error is thrown. */
  readonly answer: Report;
  /** Called with each image that verifies, as it was named, and its digest. */
  readonly onVerified?: ((image: string, digest: Digest) => void) | undefined;
  /** What the command is about; a rule that does not demand it is refused, so that nothing is accepted that was not verified. */
  readonly wanted?: "signatures" | WantedType;
}

/** What was decided on an image, the error if it is not verified, and whether it may be used all the same. */
interface Decision {
  readonly outcome: ImageOutcome;
  readonly error: unknown;
  readonly accepted: boolean;
}

/**
 * Verifies images by a trust policy, several at a time, and prints what verified in the order of the images: signatures or
 * attestations on stdout, who signed on stderr. An image that the policy does not accept is explained on stderr.
 *
 * @throws TsignError "usage" for a flag that the policy replaces; the gravest failure, after all images: "policy" if one is
 * refused, and the error of a place that could not be searched
 */
export async function verifyByPolicy(io: Io, images: readonly string[], invoked: Invoked): Promise<void> {
  const { flags, given, file } = invoked;
  requireCompatible(given, file);
  if (flags.report.length > 0) (await import("./reports/write.ts")).requireReportFormats(io, flags.report);
  const policy = await loadTrustPolicy(io, file);
  await withEnding(io.signal, () => decideAll(io, images, { invoked, policy }));
}

async function decideAll(
  io: Io,
  images: readonly string[],
  { invoked, policy }: { invoked: Invoked; policy: TrustPolicy },
): Promise<void> {
  const { flags, answer, wanted = "signatures" } = invoked;
  const several = images.length > 1;
  const held = new HeldLines(io.stderr, { holding: several });
  const results = new Results(io, {
    flags,
    options: { trust: { logs: [] } },
    exitCodes: wanted === "signatures" ? IMAGE_EXIT_CODES : {},
    several,
    total: images.length,
    labels: images,
  });
  const decider = new PolicyDecider(io, policy, {
    registry: { ...registryOptions(flags), connections: new Connections() },
    workers: Math.max(1, Math.floor(flags.maxWorkers / Math.min(flags.maxWorkers, images.length))),
    rekorUrl: flags.offline ? undefined : flags.rekorUrl,
    mirrors: true,
  });
  let index = 0;
  for await (const settled of settledInOrder(images.entries(), flags.maxWorkers, ([position, image]) =>
    decider.decide(image, withParts(io, { stderr: held.linesOf(position) })),
  )) {
    const image = images[index] ?? "";
    held.release(index);
    if (settled.status === "fulfilled") addDecided(io, settled.value, { image, index, invoked, results });
    else if (io.signal.aborted) results.add({ image, index, kind: "unfinished" }, undefined);
    else results.add({ image, index, kind: "failed", error: settled.reason }, settled.reason);
    index++;
  }
  await results.end(answer);
}

/** Prints a decision and adds it to the results. */
function addDecided(
  io: Io,
  { target, decided }: DecidedImage,
  of: { image: string; index: number; invoked: Invoked; results: Results },
): void {
  const { image, index, invoked, results } = of;
  const { file, onVerified } = invoked;
  const undemanded = undemandedBy(decided.decision, invoked);
  printDecided(io, decided, { reference: target.reference, invoked, undemanded });
  const { outcome, error, accepted } = outcomeFor(decided, { image, index, target, file, undemanded });
  results.add(outcome, error, { logs: decided.logs, accepted });
  if (stateOf(outcome) === "verified") onVerified?.(image, target.digest);
}

interface Named {
  readonly image: string;
  readonly index: number;
  readonly target: ImageTarget;
  readonly file: string;
  readonly undemanded: string | undefined;
}

/** The outcome of a decision. What the effect lets through is accepted, and is not verified. */
function outcomeFor(decided: Decided, { image, index, target, file, undemanded }: Named): Decision {
  const { decision, verified } = decided;
  const [first, ...others] = verified;
  const common = { image: target.name, digest: target.digest, failures: [], incomplete: [] };
  if (decision.ok && first !== undefined && undemanded === undefined) {
    const verdict: ImageVerdict = { ...common, ok: true, count: verified.length, verified: [first, ...others] };
    return { outcome: { image, index, kind: "judged", target, verdict }, error: undefined, accepted: true };
  }
  const error = imageRefusal(decided, { image, file, undemanded });
  const { demands } = decision;
  // Without a signature to look at an image is unsigned, but for a reason that no signature changes.
  const count = demands.length === 0 || undemanded !== undefined ? 1 : Math.max(...demands.map(({ count: n }) => n));
  const verdict: ImageVerdict = { ...common, ok: false, count, verified: [], error };
  const accepted = decision.allowed && undemanded === undefined;
  return { outcome: { image, index, kind: "judged", target, verdict }, error, accepted };
}

/** Why an image that the policy accepts has nothing that the command is about; undefined if it has. */
function undemandedBy(decision: Decided["decision"], { wanted = "signatures" }: Invoked): string | undefined {
  return wanted === "signatures" ? undefined : undemandedType(decision, wanted);
}

function printDecided(
  io: Io,
  decided: Decided,
  { reference, invoked, undemanded }: { reference: string; invoked: Invoked; undemanded: string | undefined },
): void {
  const { flags, wanted = "signatures" } = invoked;
  if (undemanded === undefined || !decided.decision.ok) printDecision(io.stderr, decided, flags);
  const { decision, verified } = decided;
  const { digest } = decision;
  if (!decision.ok || undemanded !== undefined) return;
  if (wanted !== "signatures") {
    printEnvelopes(
      io.stdout,
      verified.filter((each) => isAttestationOf(each, wanted)),
    );
    return;
  }
  const signatures = verified.filter(
    ({ content }) => content.kind !== "statement" || content.predicateType === SIGN_PREDICATE_TYPE,
  );
  if (digest === undefined || signatures.length === 0) return;
  const printed = { reference, subject: digest, verified: signatures };
  if (flags.output === "text") printText(io, printed);
  else printJson(io, printed);
}
