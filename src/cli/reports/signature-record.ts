import type { Failure } from "../../images/verdict.ts";
import type { Log } from "../../trust/material.ts";
import type { Check, VerifiedSigner } from "../../verify/model.ts";
import type { Refused, Verdict, Verified } from "../../verify/verify.ts";
import { factsOf } from "../print/signed-by.ts";

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

/** Converts a signature that does not verify to data. */
export function refusedRecord({ origin, form, checks, ...failure }: Failure): SignatureRecord {
  return { verified: false, place: origin.where, ...(form ? { form } : {}), checks, failure };
}

/**
 * Converts a verified signature to data.
 *
 * @param logs the trusted logs, which an entry's log is named from
 * @param form how it is stored, for the signature of a file
 */
export function verifiedRecord(
  verified: Verified,
  logs: readonly Log[],
  form?: NonNullable<SignatureRecord["form"]>,
): SignatureRecord {
  const { origin, content, entries, timestamps, checks, signer } = verified;
  const inTags = content.kind !== "statement" || origin.kind === "att-tag" || origin.kind === "file";
  return {
    verified: true,
    place: origin.where,
    form: form ?? (inTags ? "legacy" : "bundle"),
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

/** The result of verifying a file, for `--json`. docs/schema/images.json describes it. */
export function blobResult(
  verdict: Verdict,
  of: { file: string; form: NonNullable<SignatureRecord["form"]>; logs: readonly Log[] },
): { file: string; signature: SignatureRecord } {
  const { file, form, logs } = of;
  return { file, signature: verdict.ok ? verifiedRecord(verdict, logs, form) : failedRecord(verdict, form) };
}

function failedRecord({ origin, checks, failed }: Refused, form: SignatureRecord["form"]): SignatureRecord {
  const { name: check, detail: reason, outcome: _, ...compared } = failed;
  return refusedRecord({ origin, form, checks, check, reason, ...compared });
}
