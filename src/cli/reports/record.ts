import { TsignError } from "../../errors.ts";
import type { ImageOutcome, ImageState } from "../../images/batch.ts";
import { nearestFirst } from "../../images/candidates.ts";
import type { Failure, ImageVerdict, Rejected } from "../../images/verdict.ts";
import type { Log } from "../../trust/material.ts";
import type { Check, VerifiedSigner } from "../../verify/model.ts";
import type { Verified } from "../../verify/verify.ts";
import { type ErrorRecord, errorRecord } from "../answer.ts";
import { factsOf } from "../print/signed-by.ts";

/** What became of an image, as data for `--json` and reports. docs/schema/verify.json describes it. */
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

/** A signature or attestation. What was not verified, such as the claimed signer of a refused one, is not in it. */
export interface SignatureRecord {
  readonly verified: boolean;
  /** Where it is stored. */
  readonly place: string;
  readonly form?: "bundle" | "legacy";
  readonly signer?:
    | { readonly kind: "key"; readonly keyId: string }
    | {
        readonly kind: "certificate";
        readonly identity: string;
        readonly issuer?: string;
        readonly extensions: Readonly<Record<string, string>>;
      };
  readonly predicateType?: string;
  readonly times?: readonly { readonly time: string; readonly source: "transparency log" | "timestamp authority" }[];
  readonly logEntries?: readonly {
    readonly kind: string;
    readonly version: string;
    readonly logIndex: string;
    readonly logId: string;
    readonly log?: string;
  }[];
  /** In the order in which they were made; none follows one that failed. */
  readonly checks: readonly Check[];
  /** Why it does not count: a failed check, or content that cannot be read. */
  readonly failure?: Omit<Failure, "origin" | "form" | "checks">;
  /** Why a verified attestation does not satisfy the policies. */
  readonly unsatisfied?: readonly string[];
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

function refusedRecord({ origin, form, checks, ...failure }: Failure): SignatureRecord {
  return { verified: false, place: origin.where, ...(form ? { form } : {}), checks, failure };
}

function verifiedRecord(verified: Verified, logs: readonly Log[]): SignatureRecord {
  const { origin, content, entries, timestamps, checks, signer } = verified;
  const inTags = content.kind !== "statement" || origin.kind === "att-tag" || origin.kind === "file";
  return {
    verified: true,
    place: origin.where,
    form: inTags ? "legacy" : "bundle",
    signer: signerRecord(signer, verified),
    ...(content.kind === "statement" ? { predicateType: content.predicateType } : {}),
    times: [
      ...timestamps.flatMap(({ time }) => timeRecord(time, "timestamp authority")),
      ...entries.flatMap(({ integratedTime: time }) => timeRecord(time, "transparency log")),
    ],
    logEntries: entries.map(({ kind, version, logIndex, logId }) => {
      const log = logs.find(({ id }) => Buffer.from(id).toString("hex") === logId)?.baseUrl;
      return { kind, version, logIndex, logId, ...(log ? { log } : {}) };
    }),
    checks,
  };
}

type TimeRecord = NonNullable<SignatureRecord["times"]>[number];

function timeRecord(time: Date | undefined, source: TimeRecord["source"]): TimeRecord[] {
  return time === undefined || Number.isNaN(time.getTime()) ? [] : [{ time: time.toISOString(), source }];
}

function signerRecord(signer: VerifiedSigner, verified: Verified): NonNullable<SignatureRecord["signer"]> {
  if (signer.kind === "key") {
    const { signer: name } = factsOf(verified, { logs: [], look: { terminal: false } });
    return { kind: "key", keyId: name.replace(/^key /, "") };
  }
  const { name: identity, issuer, extensions } = signer;
  return {
    kind: "certificate",
    identity,
    ...(issuer === undefined ? {} : { issuer }),
    extensions: Object.fromEntries(extensions),
  };
}
