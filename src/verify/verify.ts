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

/** What was verified of a signature; all that output may say of it. */
interface VerifiedParts {
  /** Where it was found, for messages. */
  readonly origin: Origin;
  readonly checks: readonly Check[];
  readonly signer: VerifiedSigner;
  readonly content: VerifiedContent;
  /** Empty where the log was not checked. */
  readonly entries: readonly VerifiedEntry[];
  readonly timestamps: readonly VerifiedTimestamp[];
}

/**
 * Nothing but `verify` makes one: the class is not exported, and its private field makes the type one that no other object
 * has. What prints verified signatures takes this type, so that it cannot print what was only stored beside them.
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

/** A piece of evidence that a check failed for. Checks after it were not made. */
export interface Refused {
  readonly ok: false;
  readonly origin: Origin;
  readonly checks: readonly Check[];
  readonly failed: Check;
}

/** The outcome for one piece of evidence. */
export type Verdict = Verified | Refused;

/** Whether a value is what `verify` returned for a signature that holds. */
export function isVerified(value: unknown): value is Verified {
  return VerifiedSignature.isOne(value);
}

/**
 * The only code in tsign that says yes. It judges one piece of evidence and returns every check with its outcome; it reads
 * nothing from outside. Malformed evidence ends in a verdict. What is thrown is a defect of tsign, and no judgement of the
 * signature.
 *
 * The order is that of the Sigstore client specification, "Verification": the signature and its log entries are bound to
 * one another and to a key; these give trusted times; at these the key must be the policy's, or its certificate have a path
 * to a root and be public; then what the signed document claims, and whose it is.
 *
 * @param subject what the signature must be about
 * @param trust whose certificates, logs and timestamps count, and the present time
 * @param policy what has to hold
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

/** The checks made so far. */
class Report {
  readonly checks: Check[] = [];
  #current: CheckName = "signature";

  /** Runs a step and notes its check. */
  async step<Value>(name: CheckName, run: () => Step<Value> | Promise<Step<Value>>): Promise<Value> {
    this.#current = name;
    const { check, value } = await run();
    if (check) this.checks.push(check);
    return value;
  }

  /** The check that an error failed: what a reader refused counts against the step that read it. */
  failure(error: Error): Check {
    const { check: name, compared } = error instanceof CheckFailed ? error : { check: this.#current, compared: {} };
    return { name, outcome: "failed", detail: error.message, ...compared };
  }
}

/** A check that failed, or a document that a reader refused; not a defect, a time-out or the user's stop. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof CheckFailed) return true;
  return error instanceof TsignError && !["internal", "cancelled", "timeout"].includes(error.code);
}
