import { type ExitCodes, TsignError, withExitCode, withMessage } from "../../errors.ts";
import { IMAGE_STATES, type ImageOutcome, type ImageState, stateOf } from "../../images/batch.ts";
import type { Io } from "../../io/io.ts";
import type { Log } from "../../trust/material.ts";
import { type reportingFlags, STRICT_EXIT_CODES } from "../flags/reporting.ts";
import type { FlagValues, Report } from "../parser/define.ts";
import { type ImageRow, printTable, summaryOf } from "../print/image-table.ts";
import { factsOf } from "../print/signed-by.ts";
import { type Look, lookOf, shortDigests } from "../print/style.ts";
import { type ImageRecord, type ImagesResult, imageRecord } from "./record.ts";

export type ReportingFlags = FlagValues<typeof reportingFlags> & { readonly json: boolean };

interface ResultOptions {
  readonly flags: ReportingFlags;
  readonly options: { readonly trust: { readonly logs: readonly Log[] } };
  readonly exitCodes: ExitCodes;
  readonly several: boolean;
  /** Number of images. */
  readonly total: number;
  /** What the table shows for each image, in their order. */
  readonly labels: readonly string[];
  /** Whether every image gets a line where there is no table. */
  readonly listed?: boolean;
}

/** A failure and how grave it is; the smallest rank is the gravest. */
interface Ranked {
  readonly error: unknown;
  readonly rank: number;
}

/** Collects the outcomes of a command's images, for its summary, its exit code, `--json` and reports. */
export class Results {
  readonly #io: Io;
  readonly #options: ResultOptions;
  readonly #look: Look;
  readonly #rows: ImageRow[] = [];
  readonly #records: ImageRecord[] = [];
  readonly #counts: Record<ImageState, number> = { refused: 0, unsigned: 0, "not-found": 0, unchecked: 0, verified: 0 };
  #worst: Ranked | undefined;
  #unfinished = 0;

  constructor(io: Io, options: ResultOptions) {
    this.#io = io;
    this.#options = options;
    this.#look = lookOf(io, "stderr");
  }

  /**
   * Adds the next outcome.
   *
   * @param error the failure with its hint
   * @param of.logs the logs that were trusted for this image, instead of those for all
   * @param of.accepted whether the image may be used although it did not verify: then it fails nothing
   */
  add(outcome: ImageOutcome, error: unknown, of: { logs?: readonly Log[]; accepted?: boolean } = {}): void {
    const { flags, options } = this.#options;
    const { logs = options.trust.logs, accepted = false } = of;
    const state = stateOf(outcome);
    const failure = outcome.kind === "unfinished" ? this.#stopped(outcome.image) : error;
    this.#counts[state]++;
    if (outcome.kind === "unfinished") this.#unfinished++;
    if (state !== "verified" && !accepted) this.#addFailure(state, failure);
    this.#addRow(outcome, failure, { logs, accepted });
    if (!flags.json && flags.report.length === 0) return;
    this.#records.push(imageRecord({ outcome, state }, { error: failure, logs }));
  }

  /**
   * Prints the summary, passes on the result and writes the reports.
   *
   * @throws the gravest failure; after `io.signal` was aborted its reason, with the exit code of a graver failure
   */
  async end(answer: Report): Promise<void> {
    const { flags, several, total } = this.#options;
    if (several && this.#rows.length === total) this.#printSummary();
    const result: ImagesResult = answer({ images: this.#records, summary: { total, ...this.#counts } });
    if (flags.report.length > 0) {
      const { writeReports } = await import("./write.ts");
      await writeReports(this.#io, result, { files: flags.report, failed: this.#worst !== undefined });
    }
    if (this.#unfinished > 0) throw this.#stoppedEarly();
    if (this.#worst) throw this.#worst.error;
  }

  /** The error for an image that was not finished. */
  #stopped(image: string): unknown {
    const { reason } = this.#io.signal;
    return reason instanceof TsignError
      ? withMessage(reason, `${image}: not verified before the command ended`)
      : reason;
  }

  /** The reason of the end. Its exit code is that of the gravest failure. */
  #stoppedEarly(): unknown {
    const { reason } = this.#io.signal;
    const worst = this.#worst?.error;
    if (!(reason instanceof TsignError) || !(worst instanceof TsignError)) return reason;
    const message = `${reason.message}: ${this.#unfinished} of ${this.#options.total} images not finished`;
    const known = this.#options.several ? withMessage(reason, message) : reason;
    return withExitCode(known, worst.exitCode ?? 1);
  }

  #addFailure(state: Exclude<ImageState, "verified">, error: unknown): void {
    const failure = error instanceof TsignError ? withExitCode(error, this.#exitCode(state, error)) : error;
    const rank = rankOf(state, failure);
    if (this.#worst === undefined || rank < this.#worst.rank) this.#worst = { error: failure, rank };
  }

  #exitCode(state: Exclude<ImageState, "verified">, { exitCode, code }: TsignError): number {
    const { flags, exitCodes } = this.#options;
    return flags.exitCodes === "strict" ? STRICT_EXIT_CODES[state] : (exitCode ?? exitCodes[code] ?? 1);
  }

  #addRow(
    outcome: ImageOutcome,
    error: unknown,
    { logs, accepted }: { logs: readonly Log[]; accepted: boolean },
  ): void {
    if (!this.#options.several) return;
    const look = this.#look;
    const text = outcome.image;
    const image = shortDigests(this.#options.labels[outcome.index] ?? text, look);
    if (outcome.kind === "judged" && outcome.verdict.ok) {
      const [first] = outcome.verdict.verified;
      this.#rows.push({ image, result: { ok: true, ...factsOf(first, { logs, look }) } });
    } else if (error instanceof TsignError) {
      this.#rows.push({ image, result: { ok: false, reason: shortDigests(reasonFor(text, error), look) } });
      if (!look.terminal && !accepted && !this.#options.listed)
        this.#io.stderr.write(failureLine(text, error), { always: true });
    }
  }

  #printSummary(): void {
    const { stderr } = this.#io;
    const always = this.#worst !== undefined;
    if (this.#look.terminal) printTable(stderr, this.#rows, this.#look);
    else if (this.#options.listed) for (const row of this.#rows) stderr.write(lineOf(row), { always: !row.result.ok });
    const unfinished = this.#unfinished > 0 ? `, ${this.#unfinished} not finished` : "";
    stderr.write(`${summaryOf(this.#rows)}${unfinished}\n`, { always });
  }
}

/**
 * How grave a failure is: by the image's state, then whether it has an exit code of its own, so that the order of the images does
 * not decide the exit code. A defect of tsign comes before other reasons why an image could not be checked.
 */
function rankOf(state: ImageState, error: unknown): number {
  const isFirst = error instanceof TsignError ? error.code === "no-match" : true;
  return 2 * IMAGE_STATES.indexOf(state) + (isFirst ? 0 : 1);
}

function lineOf({ image, result }: ImageRow): string {
  if (!result.ok) return `${image}: ${result.reason}\n`;
  const { signer, time } = result;
  return `${image}: verified, signed by ${signer}${time === "" ? "" : ` at ${time}`}\n`;
}

function failureLine(text: string, { message }: TsignError): string {
  return message.includes(text) ? `${message}\n` : `${text}: ${message}\n`;
}

/** An error's message without the image's name, which stands beside it. */
function reasonFor(text: string, { message }: TsignError): string {
  return message.replace(` for ${text}`, "").replace(`${text}: `, "");
}
