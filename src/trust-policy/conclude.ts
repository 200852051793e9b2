import type { Incomplete } from "../evidence/model.ts";
import type { Decision } from "./decision.ts";
import type { Judged } from "./judge.ts";
import type { Rule, TrustPolicy } from "./model.ts";

/** What decides besides the outcomes of a rule's demands. */
export interface Concluding {
  readonly policy: TrustPolicy;
  readonly rule: Rule | undefined;
  /** Why it is refused before any signature is looked at. */
  readonly reasons: readonly string[];
  /** Why it is refused whatever the rule says. */
  readonly denied?: string;
}

/** The reason for refusing an image that is not named by its digest, where the rule demands that. */
export const UNPINNED = "image is not named by its digest";

/** The decision from the outcomes of the rule's demands. */
export function conclude(of: Concluding, judged: readonly Judged[]): Omit<Decision, "subject"> {
  const { policy, rule, denied } = of;
  const demands = judged.map(({ outcome }) => outcome);
  const reasons = [
    ...(denied === undefined ? [] : [denied]),
    ...(rule === undefined && denied === undefined ? ["no rule matches"] : []),
    ...of.reasons,
    ...(rule?.refuses === undefined ? [] : [rule.refuses]),
    ...demands
      .filter((each) => !each.ok)
      .map((each) => `${each.demand}: expected ${each.signers}, found ${countedBy(each)}`),
  ];
  const ok = reasons.length === 0 && rule !== undefined;
  const effect = rule?.effect ?? policy.unmatched;
  return {
    policy: policy.path,
    ...(rule ? { rule: { name: rule.name, place: rule.place } } : {}),
    effect,
    ok,
    allowed: ok || (denied === undefined && effect !== "enforce"),
    reasons,
    demands,
    incomplete: judged.flatMap(({ incomplete }) => incomplete).map(describeMissed),
  };
}

function countedBy({ found }: Decision["demands"][number]): string {
  const names = found.filter(({ counted }) => counted.length > 0).map(({ signer }) => signer);
  return names.length === 0 ? "no signature that counts" : names.join(", ");
}

function describeMissed({ origin, incomplete: { code, message } }: Incomplete): Decision["incomplete"][number] {
  return { where: origin.where, code, reason: message };
}
