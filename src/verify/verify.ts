import { TsignError } from "../errors.ts";
import type { Evidence, Origin } from "../evidence/model.ts";
import { claimedKey } from "./claimed-key.ts";
import {
  type Check,
  CheckFailed,
  type CheckName,
  type Policy,
  type Step,
  type Subject,
  type TrustMaterial,
  type VerifiedContent,
  type VerifiedEntry,
  type VerifiedSigner,
  type VerifiedTimestamp,
} from "./model.ts";
import { checkSignature, signedMessage } from "./signature.ts";
import { checkClaims, checkIdentity, checkKey, checkLog, checkScts, checkTimes, describeEntry } from "./steps.ts";

/** The verified parts of a signature. Output may show nothing else. */
interface VerifiedParts {
  /** Where the signature was found, for messages. */
  readonly origin: Origin;
  readonly checks: readonly Check[];
  readonly signer: VerifiedSigner;
  readonly content: VerifiedContent;
  /** Empty if the log was not checked. */
  readonly entries: readonly VerifiedEntry[];
  readonly timestamps: readonly VerifiedTimestamp[];
}

/**
 * A verified signature. Only `verify` can create one: the class is not exported, and its private field makes the type nominal.
 * Code that prints verified signatures takes this type, so that it cannot print unverified data stored beside them.
 */
class VerifiedSignature implements VerifiedParts {
  readonly ok = true;
  readonly origin: Origin;
  readonly checks: readonly Check[];
  readonly signer: VerifiedSigner;
  readonly content: VerifiedContent;
  readonly entries: readonly VerifiedEntry[];
  readonly timestamps: readonly VerifiedTimestamp[];
  readonly #made = true;

  constructor(parts: VerifiedParts) {
    this.origin = parts.origin;
    this.checks = parts.checks;
    this.signer = parts.signer;
    this.content = parts.content;
    this.entries = parts.entries;
    this.timestamps = parts.timestamps;
    Object.freeze(this);
  }

  static isOne(value: unknown): value is VerifiedSignature {
    return typeof value === "object" && value !== null && #made in value;
  }
}

export type Verified = VerifiedSignature;

/** Evidence for which a check failed. The checks after it were not run. */
export interface Refused {
  readonly ok: false;
  readonly origin: Origin;
  readonly checks: readonly Check[];
  readonly failed: Check;
}

/** The outcome for one piece of evidence. */
export type Verdict = Verified | Refused;

/** Whether a value is what `verify` returned for a valid signature. */
export function isVerified(value: unknown): value is Verified {
  return VerifiedSignature.isOne(value);
}

/**
 * Verifies one signature or attestation, and returns all checks with their outcomes. This is the only code in tsign that
 * accepts a signature. It is pure: it does not read files, the network or the clock. Malformed evidence gives a failed verdict;
 * only a defect of tsign, a time-out or an abort is thrown.
 *
 * The order follows the Sigstore client specification, "Verification": log entries and signature must match each other and the
 * key; the entries and timestamps give trusted times; at these times the certificate must have a path to a trusted root; it
 * needs an SCT; then the signed document and the signer's identity are compared with the policy.
 *
 * @param subject the image or file that the signature must be for
 * @param trust trusted certificates, logs and timestamp authorities, and the current time
 * @param policy what the signature must satisfy
 */
export async function verify(
  evidence: Evidence,
  subject: Subject,
  trust: TrustMaterial,
  policy: Policy,
): Promise<Verdict> {
  const { origin } = evidence;
  const report = new Report();
  try {
    const key = await claimedKey(evidence, policy);
    const message = signedMessage(evidence.content, subject);
    const entries = await report.step("log", () => checkLog({ evidence, message, key, trust, policy }));
    await report.step("signature", () => checkSignature({ evidence, message, key, policy }));
    const { times, timestamps } = await report.step("time", () => checkTimes({ evidence, entries, trust, policy }));
    const path = await report.step("key", () => checkKey({ evidence, times, trust, policy }));
    await report.step("sct", () => checkScts({ path, trust, policy }));
    const content = await report.step("claims", () => checkClaims({ evidence, subject, policy }));
    const signer = await report.step("identity", () => checkIdentity({ path, key, policy }));
    const { checks } = report;
    const verified = entries.map((each) => describeEntry(each, evidence));
    return new VerifiedSignature({ origin, checks, signer, content, entries: verified, timestamps });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const failed = report.failure(error);
    return { ok: false, origin, checks: [...report.checks, failed], failed };
  }
}

/** Collects the checks of one verification. */
class Report {
  readonly checks: Check[] = [];
  #current: CheckName = "signature";

  /** Runs a step and records its check. */
  async step<Value>(name: CheckName, run: () => Step<Value> | Promise<Step<Value>>): Promise<Value> {
    this.#current = name;
    const { check, value } = await run();
    if (check) this.checks.push(check);
    return value;
  }

  /** The failed check for an error. A reader's error counts against the step that was running. */
  failure(error: Error): Check {
    const { check: name, compared } = error instanceof CheckFailed ? error : { check: this.#current, compared: {} };
    return { name, outcome: "failed", detail: error.message, ...compared };
  }
}

/** Whether an error is a failed check or a malformed document, and not a defect, a time-out or an abort. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof CheckFailed) return true;
  return error instanceof TsignError && !["internal", "cancelled", "timeout"].includes(error.code);
}
