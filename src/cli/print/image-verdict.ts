import { printable } from "../../format/printable.ts";
import type { Accepted, Failure, ImageVerdict, MissedPlace, Unsatisfied } from "../../images/verdict.ts";
import type { Lines, Output } from "../../io/io.ts";
import type { Policy } from "../../verify/model.ts";
import { printEnvelopes, printHeader, printJson, printText, warnAboutLoosePatterns } from "./verified.ts";

/** Statuses by which registries say that they have no such tag, without saying so. */
const QUIET = new Set(["auth", "registry"]);

export interface VerdictOptions {
  /** Of the image, as the JSON names it. */
  readonly reference: string;
  readonly signer: Policy["signer"];
  /** Whether what is signed was compared with the image, and whether annotations were required of it. */
  readonly claims: boolean;
  readonly annotations: boolean;
  /** cosign's JSON, the payloads as they were signed, or the envelopes as they are stored. */
  readonly form: "json" | "text" | "envelopes";
}

/** Prints what verified on stdout, and on stderr what was checked of it, what failed beside it, or why nothing counts. */
export function printVerdict(
  io: { stdout: Output; stderr: Lines },
  verdict: ImageVerdict,
  options: VerdictOptions,
): void {
  if (verdict.ok) printAccepted(io, verdict, options);
  else if (verdict.unsatisfied) {
    warnAboutIncomplete(io.stderr, verdict.incomplete);
    printUnsatisfied(io.stderr, verdict.unsatisfied);
  } else printFailures(io.stderr, verdict.failures);
}

function printAccepted(io: { stdout: Output; stderr: Lines }, verdict: Accepted, options: VerdictOptions): void {
  const { image, digest, verified, failures, incomplete } = verdict;
  const { reference, signer, claims, annotations, form } = options;
  warnAboutIncomplete(io.stderr, incomplete);
  printHeader(io.stderr, { name: image, verified, claims, annotations });
  warnAboutLoosePatterns(io.stderr, signer, verified);
  if (failures.length > 0) {
    io.stderr.write("Found too, and not counted:\n");
    printFailures(io.stderr, failures);
  }
  if (form === "envelopes") printEnvelopes(io.stdout, verified);
  else if (form === "text") printText(io, { reference, subject: digest, verified });
  else printJson(io, { reference, subject: digest, verified });
}

/** Why each candidate failed, a line each. */
function printFailures(stderr: Lines, failures: readonly Failure[]): void {
  for (const { origin, check, reason } of failures) stderr.write(`  ${origin.where}: ${check}: ${reason}\n`);
}

function printUnsatisfied(stderr: Lines, unsatisfied: readonly Unsatisfied[]): void {
  for (const { origin, reasons } of unsatisfied) {
    stderr.write(`${printable(origin.where)} does not satisfy the policies:\n`);
    for (const reason of reasons) stderr.write(`- ${printable(reason)}\n`);
  }
}

/** Places that could not be looked through, while something good was found elsewhere. */
function warnAboutIncomplete(stderr: Lines, places: readonly MissedPlace[]): void {
  for (const { origin, code, reason } of places) {
    // A tag that is refused beside signatures that are there is most often one that does not exist.
    if (origin.kind !== "referrer" && QUIET.has(code)) continue;
    stderr.write(`WARNING: ${printable(origin.where)} could not be looked through: ${reason}\n`);
  }
}
