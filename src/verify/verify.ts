import { TsignError } from "../errors.ts";
import type { Evidence, Origin } from "../evidence/model.ts";
import { defaultHashes } from "../keys/index.ts";
import { verifyStatedDigest } from "./claims.ts";
import { signedMessage, verifyEntity } from "./entity.ts";
import {
  type Check,
  CheckFailed,
  type CheckName,
  type Policy,
  type Subject,
  type TrustMaterial,
  type VerifiedContent,
  type VerifiedEntry,
  type VerifiedSigner,
  type VerifiedTimestamp,
} from "./model.ts";
import {
  checkClaims,
  claimedKey,
  describeEntry,
  describeKey,
  identify,
  trustedEntries,
  trustedTimes,
  verifySigner,
} from "./steps.ts";

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
 * nothing from outside. Whatever a stranger wrote ends in a verdict. What is thrown is a defect of tsign, and no judgement of
 * the signature.
 *
 * The order is that of the Sigstore client specification, "Verification": the signature and its log entries are bound to
 * one another and to a key; these give trusted times; at these the key must be the policy's, or its certificate have a path
 * to a root and be public; then what the signed document claims, and whose it is.
 */
export async function verify(
  evidence: Evidence,
  subject: Subject,
  trust: TrustMaterial,
  policy: Policy,
): Promise<Verdict> {
  const checks: Check[] = [];
  const pass = (name: CheckName, detail: string) => checks.push({ name, outcome: "passed", detail });
  const skip = (name: CheckName, detail: string) => checks.push({ name, outcome: "skipped", detail });
  const { origin } = evidence;
  try {
    const key = await claimedKey(evidence, policy);
    const message = signedMessage(evidence.content, subject);
    const hashes = policy.signer.kind === "key" ? policy.signer.hashes : defaultHashes(key);
    verifyStatedDigest(evidence.content, message);
    const entries = policy.log === "required" ? trustedEntries(evidence, trust, key) : [];
    await verifyEntity({ evidence, message, key, hashes, entries });
    if (policy.log === "required") pass("log", "included in a trusted transparency log");
    else skip("log", "the transparency log is not checked");
    pass("signature", `valid for ${describeKey(key)}`);
    const { times, timestamps } = await trustedTimes({ evidence, entries, trust, policy });
    if (times.length > 0) pass("time", times.map((time) => time.toISOString()).join(", "));
    const leaf = await verifySigner({ evidence, times, trust, policy, pass, skip });
    const content = checkClaims({ evidence, subject, policy, pass, skip });
    const signer = await identify({ leaf, key, policy, pass });
    const verified = entries.map((each) => describeEntry(each, evidence));
    return new VerifiedSignature({ origin, checks, signer, content, entries: verified, timestamps });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const failed: Check = {
      name: error instanceof CheckFailed ? error.check : "signature",
      outcome: "failed",
      detail: error.message,
    };
    return { ok: false, origin, checks: [...checks, failed], failed };
  }
}

/** A check that failed, or a document that a reader refused; not a defect, a time-out or the user's stop. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof CheckFailed) return true;
  return error instanceof TsignError && !["internal", "cancelled", "timeout"].includes(error.code);
}
