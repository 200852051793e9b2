import type { Policy } from "../verify/model.ts";
import type { Refused, Verdict, Verified } from "../verify/verify.ts";

/**
 * Verifies a candidate for one accepted signer after another, until one verifies.
 *
 * @param verify verifies the candidate for a signer
 * @param signal after it is aborted, errors are rethrown at once
 * @returns the verified signature; else the refusal of the signer that passed the most checks, the first of several
 * @throws the first error, if none verifies: it is unknown whether that signer would have
 */
export async function verifyForAny(
  signers: readonly Policy["signer"][],
  verify: (signer: Policy["signer"], index: number) => Promise<Verdict>,
  signal: AbortSignal,
): Promise<Verdict> {
  const refused: Refused[] = [];
  const errors: unknown[] = [];
  for (const [index, signer] of signers.entries()) {
    try {
      const verdict = await verify(signer, index);
      if (verdict.ok) return verdict;
      refused.push(verdict);
      // The checks before that of the identity are the same for every identity.
      if (signer.kind === "identity" && verdict.failed.name !== "identity") break;
    } catch (error) {
      if (signal.aborted) throw error;
      errors.push(error);
    }
  }
  const [first, ...others] = refused;
  if (errors.length > 0 || !first) throw errors[0];
  return others.reduce((best, each) => (each.checks.length > best.checks.length ? each : best), first);
}

/** Reports whether a verified signature satisfies a signer of the policy it was verified with. */
export function isSignedBy({ signer }: Pick<Verified, "signer">, accepted: Policy["signer"]): boolean {
  if (accepted.kind === "key") return signer.kind === "key" && signer.key.pem === accepted.key.pem;
  if (signer.kind === "key") return false;
  const { subject, issuer } = accepted.identity;
  return (
    subject.every((pattern) => pattern.matches(signer.name)) &&
    issuer.every((pattern) => pattern.matches(signer.issuer ?? ""))
  );
}
