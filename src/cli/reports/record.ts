import { TsignError } from "../../errors.ts";
import type { ImageOutcome, ImageState } from "../../images/batch.ts";
import { nearestFirst } from "../../images/candidates.ts";
import type { ImageVerdict, Rejected } from "../../images/verdict.ts";
import type { Log } from "../../trust/material.ts";
import { type ErrorRecord, errorRecord } from "../answer.ts";
import { refusedRecord, type SignatureRecord, verifiedRecord } from "./signature-record.ts";

/** What became of an image, as data for `--json` and reports. docs/schema/images.json describes it. */
export interface ImageRecord {
  /** As the user named it. */
  readonly image: string;
  readonly state: ImageState;
  /** The digest that was verified: `sha256:…`. */
  readonly digest?: string;
  /** The image by that digest: `registry/repository@sha256:…`; absent for a folder. */
  readonly pinned?: string;
  /** Those that verified in stored order, then the others, nearest match first. */
  readonly signatures: readonly SignatureRecord[];
  /** Places that could not be searched. */
  readonly missed: readonly { readonly place: string; readonly code: string; readonly reason: string }[];
  /** What is attached in place of what was looked for. */
  readonly instead?: Rejected["instead"];
  /** Absent for a verified image. */
  readonly error?: ErrorRecord;
}

/** The result of a command that verifies images. */
export interface ImagesResult {
  readonly images: readonly ImageRecord[];
  /** Number of images, and of those in each state. */
  readonly summary: { readonly total: number } & Readonly<Record<ImageState, number>>;
}

/**
 * Converts the outcome for an image to data.
 *
 * @param error the error with its hint, as it is printed
 * @param logs the trusted logs, which an entry's log is named from
 */
export function imageRecord(
  { outcome, state }: { outcome: ImageOutcome; state: ImageState },
  { error, logs }: { error: unknown; logs: readonly Log[] },
): ImageRecord {
  const known = error instanceof TsignError ? error : error === undefined ? undefined : defect(error);
  const failed = known === undefined ? {} : { error: errorRecord(known) };
  const { image } = outcome;
  if (outcome.kind !== "judged") return { image, state, signatures: [], missed: [], ...failed };
  const { target, verdict } = outcome;
  const instead = verdict.ok ? undefined : verdict.instead;
  return {
    image,
    state,
    digest: verdict.digest,
    ...(target.repository === "" ? {} : { pinned: `${target.repository}@${verdict.digest}` }),
    signatures: signaturesIn(verdict, logs),
    missed: verdict.incomplete.map(({ origin, code, reason }) => ({ place: origin.where, code, reason })),
    ...(instead === undefined || instead.kind === "nothing" ? {} : { instead }),
    ...failed,
  };
}

function defect(error: unknown): TsignError {
  return new TsignError("internal", `internal error: ${error instanceof Error ? error.message : String(error)}`);
}

function signaturesIn(verdict: ImageVerdict, logs: readonly Log[]): SignatureRecord[] {
  const refused = nearestFirst(verdict.failures).map(refusedRecord);
  const denied = verdict.ok ? [] : (verdict.unsatisfied ?? []);
  return [
    ...verdict.verified.map((each) => verifiedRecord(each, logs)),
    ...denied.map(({ origin, reasons }) => ({
      verified: false,
      place: origin.where,
      checks: [],
      unsatisfied: reasons,
    })),
    ...refused,
  ];
}
