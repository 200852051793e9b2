import type { Evidence } from "../evidence/model.ts";
import type { Decided } from "../trust-policy/decide.ts";
import { earliestTime } from "../trust-policy/gates.ts";
import type { Rule } from "../trust-policy/model.ts";

/** Whether a decision depends on the time at which it is made. */
export function isDated({ verified }: Decided, rule: Rule | undefined): boolean {
  const demands = rule?.demands ?? [];
  return (
    demands.some(
      ({ maxAge, attestation }) =>
        maxAge !== undefined ||
        (attestation && (attestation.policies.length > 0 || attestation.vulnerabilities?.maxAge !== undefined)),
    ) ||
    // Without a trusted time a certificate must be valid now.
    verified.some((each) => each.signer.kind === "certificate" && earliestTime(each) === undefined)
  );
}

/** About how much memory the signature takes, in bytes. */
export function sizeOf({ content, document }: Evidence): number {
  const payload = "payload" in content ? content.payload.length : 0;
  return payload + (document?.length ?? 0) + 4096;
}
