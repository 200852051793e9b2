import { TsignError } from "../errors.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import { inParallel } from "../oci/parallel.ts";
import { parseReference } from "../oci/ref.ts";
import { decideByName, ruleForImage } from "../trust-policy/decide.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import type { Decider } from "./decider.ts";
import { nameOf, type RunningImage } from "./running.ts";
import { NO_DEADLINE } from "./time-limits.ts";
import { type Answer, answerOf } from "./words.ts";

/** An image with its answer, and the places where it runs. */
export interface Audited {
  readonly answer: Answer;
  readonly places: readonly string[];
}

/** Most images that are decided on at a time. */
const AT_ONCE = 16;

/** Decides on images that run, in their order. An image of which it is not known what runs is accepted by its name or not at all. */
export function auditImages(
  io: Pick<Io, "now">,
  images: readonly RunningImage[],
  { decider, policy }: { decider: Decider; policy: TrustPolicy },
): Promise<Audited[]> {
  const until = io.now().getTime() + NO_DEADLINE;
  return inParallel(images, AT_ONCE, async ({ image, digest, places, unknown }) => {
    if (unknown === undefined)
      return { answer: answerOf(await decider.decide(image, until, { running: digest })), places };
    return { answer: byName(image, policy) ?? unknownAnswer(image, unknown), places };
  });
}

function byName(image: string, policy: TrustPolicy): Answer | undefined {
  try {
    const ref = parseReference(image);
    const decision = decideByName(policy, ref);
    const rule = ruleForImage(policy, ref);
    const effect = rule?.effect ?? policy.unmatched;
    return decision && answerOf({ image, rule, effect, kind: "decided", decision, source: "name" });
  } catch (error) {
    if (error instanceof TsignError) return undefined;
    throw error;
  }
}

function unknownAnswer(image: string, why: string): Answer {
  const name = image === "" ? "a Pod" : `image "${printable(image)}"`;
  const advice = image === "" ? "" : "; name it by its digest";
  return unchecked(image, `${name} could not be checked: ${printable(why)}${advice}`);
}

/** The answer for Pods that could not be listed, so that no report leaves them out. */
export function unlistedAnswer(namespace: string, reason: string): Answer {
  return unchecked(nameOf({ namespace }), reason);
}

function unchecked(image: string, text: string): Answer {
  return {
    ...{ image, text, pinned: undefined, allowed: false, ok: false, rule: undefined, effect: undefined },
    ...{ isDefect: false, source: "failed" },
    reason: "unchecked",
  };
}
