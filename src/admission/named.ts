import type { Digest } from "../format/digest.ts";
import { parseReference, type Reference } from "../oci/ref.ts";
import { ruleForImage } from "../trust-policy/decide.ts";
import type { Effect, Rule, TrustPolicy } from "../trust-policy/model.ts";

/** What a policy says about an image by its name. */
interface Named {
  readonly ref: Reference;
  readonly rule: Rule | undefined;
  readonly effect: Effect;
  /** Whether it is let through if it cannot be checked. */
  readonly mayPass: boolean;
}

/** What is not the name of an image. */
interface Invalid {
  readonly kind: "failed";
  readonly rule: undefined;
  readonly effect: Effect;
  readonly error: unknown;
  readonly mayPass: false;
}

/**
 * Reads the name of an image, and finds the rule for it.
 *
 * @param running the digest that runs: it replaces one that is named; a tag stays, because rules and their demands may name it
 */
export function namedIn(policy: TrustPolicy, image: string, running?: Digest): Named | Invalid {
  let ref: Reference;
  try {
    ref = runningAs(parseReference(image), running);
  } catch (error) {
    return { rule: undefined, effect: policy.unmatched, kind: "failed", error, mayPass: false };
  }
  const rule = ruleForImage(policy, ref);
  const effect = rule?.effect ?? policy.unmatched;
  // A denied digest outvotes a rule without effect, and the digest may not be known.
  return { ref, rule, effect, mayPass: effect !== "enforce" && policy.denied.digests.length === 0 };
}

function runningAs(ref: Reference, running: Digest | undefined): Reference {
  if (running === undefined || ref.digest === undefined) return ref;
  return { ...ref, digest: running, identifier: running, original: `${ref.name}@${running}` };
}
