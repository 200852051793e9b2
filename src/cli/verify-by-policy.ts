import { TsignError, withExitCode } from "../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Digest } from "../format/digest.ts";
import { printable } from "../format/printable.ts";
import { shellQuoted } from "../format/shell-quoted.ts";
import { IMAGE_STATES, type ImageOutcome, type ImageState, stateOf } from "../images/batch.ts";
import { type ImageTarget, imageTarget, openImage } from "../images/open.ts";
import type { ImageVerdict } from "../images/verdict.ts";
import type { Io } from "../io/io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { type Decided, decideImage } from "../trust-policy/decide.ts";
import { PolicySources } from "../trust-policy/sources.ts";
import type { Verified } from "../verify/verify.ts";
import type { ImageVerificationFlags } from "./flags/image-verification.ts";
import { registryOptions } from "./flags/registry.ts";
import { STRICT_EXIT_CODES } from "./flags/reporting.ts";
import { loadTrustPolicy, requireCompatible } from "./options/trust-policy.ts";
import type { Report } from "./parser/define.ts";
import { printSigners } from "./print/signed-by.ts";
import { decisionLines } from "./print/trust-decision.ts";
import { printEnvelopes, printJson, printText } from "./print/verified.ts";
import { type ImageRecord, imageRecord } from "./reports/record.ts";
import type { ReportingFlags } from "./reports/results.ts";

interface Invoked {
  readonly flags: Omit<ImageVerificationFlags, "output" | "signature" | "payload"> &
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
  readonly wanted?: "signatures" | { readonly predicateType: string | undefined };
}

/** An image, what was decided, and the error if it is not accepted. */
interface Outcome {
  readonly record: ImageRecord;
  readonly error: unknown;
}

/**
 * Verifies images by a trust policy, one after another, and prints what verified: signatures or attestations on stdout, who signed
 * on stderr. An image that the policy does not accept is explained on stderr.
 *
 * @throws TsignError "usage" for a flag that the policy replaces; the first failure, after all images: "policy" if it is refused,
 * and the error of a place that could not be searched
 */
export async function verifyByPolicy(io: Io, images: readonly string[], invoked: Invoked): Promise<void> {
  const { flags, given, file, answer } = invoked;
  requireCompatible(given, file);
  if (flags.report.length > 0) (await import("./reports/write.ts")).requireReportFormats(io, flags.report);
  const policy = await loadTrustPolicy(io, file);
  const sources = new PolicySources(io, policy, (text) => io.stderr.write(`WARNING: ${text}\n`));
  const registry = registryOptions(flags);
  const options = {
    maxBytes: maxAttachmentSize(io.env),
    workers: flags.maxWorkers,
    tagPrefix: "",
    rekorUrl: flags.offline ? undefined : flags.rekorUrl,
  };
  const outcomes: Outcome[] = [];
  for (const [index, image] of images.entries()) {
    try {
      const opened = await openImage(io, image, { registry, mustExist: true });
      const target = await imageTarget(io, opened, registry);
      const decided = await decideImage(io, sources, { policy, ref: opened.ref, target }, options);
      const undemanded = undemandedBy(decided, invoked);
      printDecided(io, decided, { reference: target.reference, invoked, undemanded });
      const outcome = outcomeFor(decided, { image, index, target, file, undemanded });
      outcomes.push(outcome);
      if (outcome.record.state === "verified") invoked.onVerified?.(image, target.digest);
    } catch (error) {
      if (io.signal.aborted || !(error instanceof TsignError)) throw error;
      outcomes.push(failedOutcome(error, { image, index }));
    }
    const error = outcomes.at(-1)?.error;
    if (images.length > 1 && error instanceof TsignError)
      io.stderr.write(`${printable(image)}: ${error.message}\n`, { always: true });
  }
  await report(io, outcomes, { flags, answer });
}

async function report(io: Io, outcomes: readonly Outcome[], { flags, answer }: Pick<Invoked, "flags" | "answer">) {
  const counts = Object.fromEntries(
    IMAGE_STATES.map((state) => [state, outcomes.filter(({ record }) => record.state === state).length]),
  ) as Record<ImageState, number>;
  const images = outcomes.map(({ record }) => record);
  const result = answer({ images, summary: { total: outcomes.length, ...counts } });
  const failed = outcomes.find(({ error }) => error !== undefined);
  if (flags.report.length > 0) {
    const { writeReports } = await import("./reports/write.ts");
    await writeReports(io, result, { files: flags.report, failed: failed !== undefined });
  }
  if (failed === undefined) return;
  const { record, error } = failed;
  const isStrict = flags.exitCodes === "strict" && record.state !== "verified" && error instanceof TsignError;
  throw isStrict ? withExitCode(error, STRICT_EXIT_CODES[record.state as Exclude<ImageState, "verified">]) : error;
}

function failedOutcome(error: TsignError, named: { image: string; index: number }): Outcome {
  const outcome: ImageOutcome = { ...named, kind: "failed", error };
  return { record: imageRecord({ outcome, state: stateOf(outcome) }, { error, logs: [] }), error };
}

interface Named {
  readonly image: string;
  readonly index: number;
  readonly target: ImageTarget;
  readonly file: string;
  readonly undemanded: string | undefined;
}

/** The record of a decision. What the effect lets through is not verified. */
function outcomeFor(decided: Decided, { image, index, target, file, undemanded }: Named): Outcome {
  const { decision, verified, logs } = decided;
  const [first, ...others] = verified;
  const common = { image: target.name, digest: target.digest, count: verified.length, failures: [], incomplete: [] };
  const isVerified = decision.ok && first !== undefined && undemanded === undefined;
  const reason = isVerified ? undefined : refusal(decided, { image, file, undemanded });
  const verdict: ImageVerdict = isVerified
    ? { ...common, ok: true, verified: [first, ...others] }
    : { ...common, ok: false, verified: [], error: reason, count: 1 };
  const outcome: ImageOutcome = { image, index, kind: "judged", target, verdict };
  const record = imageRecord({ outcome, state: stateOf(outcome) }, { error: reason, logs });
  return { record, error: decision.allowed && undemanded === undefined ? undefined : reason };
}

/** Why an accepted image still has nothing that the command is about; undefined if it has. */
function undemandedBy({ decision, verified }: Decided, { wanted = "signatures" }: Invoked): string | undefined {
  if (!decision.ok || wanted === "signatures") return undefined;
  if (verified.some((each) => isOfType(each, wanted.predicateType))) return undefined;
  const of = wanted.predicateType === undefined ? "" : ` of type ${wanted.predicateType}`;
  return `the rule ${decision.rule?.name} demands no attestation${of}`;
}

function isOfType({ content }: Verified, predicateType: string | undefined): boolean {
  if (content.kind !== "statement" || content.predicateType === SIGN_PREDICATE_TYPE) return false;
  return predicateType === undefined || content.predicateType === predicateType;
}

function printDecided(
  io: Io,
  { decision, verified, logs }: Decided,
  { reference, invoked, undemanded }: { reference: string; invoked: Invoked; undemanded: string | undefined },
): void {
  const { ok, effect, digest, subject, rule, allowed, reasons } = decision;
  const { flags, wanted = "signatures" } = invoked;
  if (!ok) {
    const level = allowed && effect === "warn" ? "WARNING: " : "";
    const outcome = allowed ? "does not satisfy" : "is refused by";
    io.stderr.write(
      `${level}${printable(subject)} ${outcome} ${printable(decision.policy)}: ${printable(reasons.join("; "))}\n`,
    );
    for (const line of decisionLines(decision)) io.stderr.write(`${line}\n`);
    return;
  }
  if (undemanded !== undefined) return;
  io.stderr.write(`${printable(subject)} satisfies ${printable(rule?.name ?? "")} of ${printable(decision.policy)}\n`);
  printSigners(io.stderr, { verified, logs });
  if (flags.explain) for (const line of decisionLines(decision)) io.stderr.write(`${line}\n`);
  if (wanted !== "signatures") {
    printEnvelopes(
      io.stdout,
      verified.filter((each) => isOfType(each, wanted.predicateType)),
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

/** The error for an image that is not accepted. A place that could not be searched comes first: what is missing may be there. */
function refusal(
  { decision, missed }: Decided,
  { image, file, undemanded }: { image: string; file: string; undemanded: string | undefined },
): unknown {
  if (missed !== undefined) return missed;
  const by = decision.rule ? `${decision.rule.name} of ${file}` : file;
  const reasons = undemanded ?? (decision.ok ? "accepted without a signature" : decision.reasons.join("; "));
  return new TsignError("policy", `${image} is refused by ${by}: ${reasons}`, {
    hint: `run \`tsign policy explain ${shellQuoted(file)} ${shellQuoted(image)}\``,
  });
}
