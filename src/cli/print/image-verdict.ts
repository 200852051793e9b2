import { printable } from "../../format/printable.ts";
import type { Accepted, Failure, ImageVerdict, MissedPlace, Unsatisfied } from "../../images/verdict.ts";
import type { Io, Lines, Output } from "../../io/io.ts";
import type { Log } from "../../trust/material.ts";
import type { Policy } from "../../verify/model.ts";
import { MAX_DESCRIBED, printSigned, printSigners, writeLine } from "./signed-by.ts";
import { type Look, lookOf, mark, shortDigests } from "./style.ts";
import { printAcceptedBy, printEnvelopes, printHeader, printJson, printText } from "./verified.ts";

/** Codes of errors by which registries report a missing tag without saying so. */
const MISSING_TAG = new Set(["auth", "registry"]);

export interface VerdictOptions {
  /** Reference of the image, as the JSON names it. */
  readonly reference: string;
  /** The accepted signers, of which any is enough, with the flags that name them. */
  readonly signers: readonly { readonly signer: Policy["signer"]; readonly name: string }[];
  /** Whether the signed digest was compared with the image, and whether annotations were required. */
  readonly claims: boolean;
  readonly annotations: boolean;
  /** cosign's JSON, the payloads as they were signed, or the envelopes as they are stored. */
  readonly form: "json" | "text" | "envelopes";
  /** The trusted logs, to name the log of an entry. */
  readonly logs: readonly Log[];
  /** Whether a table of all images follows, which shows who signed them. */
  readonly inTable: boolean;
}

type VerdictIo = { stdout: Output; stderr: Lines } & Pick<Io, "tty" | "env">;

/**
 * Prints what verified on stdout. On stderr it prints who signed, when, and what was checked; or why each candidate failed.
 * A terminal gets a line or two for each image; a pipe gets cosign's header, which scripts read, with the signers below it.
 */
export function printVerdict(io: VerdictIo, verdict: ImageVerdict, options: VerdictOptions): void {
  const look = lookOf(io, "stderr");
  if (verdict.ok) printAccepted(io, verdict, { ...options, look });
  else if (verdict.unsatisfied) {
    warnAboutIncomplete(io.stderr, verdict.incomplete);
    printUnsatisfied(io.stderr, verdict.unsatisfied);
  } else if (!look.terminal || verdict.failures.length > 1) printFailures(io.stderr, verdict.failures, look);
}

function printAccepted(io: VerdictIo, verdict: Accepted, options: VerdictOptions & { look: Look }): void {
  const { image, digest, verified, failures, incomplete } = verdict;
  const { reference, signers, claims, annotations, form, logs, look } = options;
  warnAboutIncomplete(io.stderr, incomplete);
  if (!look.terminal) {
    printHeader(io.stderr, { name: image, verified, claims, annotations });
    printSigners(io.stderr, { verified, logs });
  } else if (!options.inTable) {
    printSigned(io.stderr, { name: shortDigests(image, look), verified, logs, look });
  }
  printAcceptedBy(io.stderr, signers, verified);
  if (failures.length > 0) {
    io.stderr.write("These were also found but did not verify:\n");
    printFailures(io.stderr, failures, look);
  }
  if (form === "envelopes") printEnvelopes(io.stdout, verified);
  else if (form === "text") printText(io, { reference, subject: digest, verified });
  else printJson(io, { reference, subject: digest, verified });
}

/**
 * Why each candidate failed, a line for each. On a terminal they are aligned, without the image's name, and only the first are
 * listed: anyone who can push to the repository can add thousands.
 */
function printFailures(stderr: Lines, failures: readonly Failure[], look: Look): void {
  if (!look.terminal) {
    for (const { origin, check, reason } of failures) stderr.write(`  ${origin.where}: ${check}: ${reason}\n`);
    return;
  }
  const bad = mark("bad", look);
  const rows = failures
    .slice(0, MAX_DESCRIBED)
    .map(({ origin, check, reason }) => ({ where: placeIn(origin.where, look), check, reason }));
  const width = (key: "where" | "check") => Math.max(...rows.map((row) => row[key].length));
  const [places, checks] = [width("where"), width("check")];
  for (const { where, check, reason } of rows) {
    const start = `  ${bad.text} `;
    const before = `${where.padEnd(places)}  ${check.padEnd(checks)}  `;
    const text = [{ text: "  " }, bad, { text: " " }, { text: before }, { text: shortDigests(reason, look) }];
    writeLine(stderr, text, { hanging: start.length + before.length });
  }
  const more = failures.length - rows.length;
  if (more > 0) stderr.write(`  ${more} more, listed in full when stderr is not a terminal\n`);
}

/** Where a candidate is, without its repository: `sha256:0123456789ab`, or `sha256-0123456789ab.sig, layer 2`. */
function placeIn(where: string, look: Look): string {
  return shortDigests(printable(where).replace(/^\S*?[@:](?=[\w.-]*sha(?:256|384|512)[:-])/, ""), look);
}

function printUnsatisfied(stderr: Lines, unsatisfied: readonly Unsatisfied[]): void {
  for (const { origin, reasons } of unsatisfied) {
    stderr.write(`${printable(origin.where)} does not satisfy the policies:\n`);
    for (const reason of reasons) stderr.write(`- ${printable(reason)}\n`);
  }
}

/** Warns about places that could not be searched, when a good signature was found elsewhere. */
function warnAboutIncomplete(stderr: Lines, places: readonly MissedPlace[]): void {
  for (const { origin, code, reason } of places) {
    // A tag that is refused beside signatures that exist is most often one that does not exist.
    if (origin.kind !== "referrer" && MISSING_TAG.has(code)) continue;
    stderr.write(`WARNING: cannot search ${printable(origin.where)}: ${reason}\n`);
  }
}
