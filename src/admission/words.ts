import { TsignError } from "../errors.ts";
import { printable } from "../format/printable.ts";
import { shellQuoted } from "../format/shell-quoted.ts";
import { UNPINNED } from "../trust-policy/conclude.ts";
import type { Decision } from "../trust-policy/decision.ts";
import type { Outcome } from "./decider.ts";
import { isOutage } from "./outages.ts";

/** What became of an image, for people, for programs and for metrics. */
export interface Answer {
  /** As the object names it. */
  readonly image: string;
  /** `repository@digest` in the words of the object; undefined if the digest is not known. */
  readonly pinned: string | undefined;
  readonly allowed: boolean;
  /** Whether the demands of the policy are met. */
  readonly ok: boolean;
  readonly reason: "accepted" | "denied" | "no-rule" | "unsigned" | "refused" | "invalid" | "not-found" | "unchecked";
  /** Name of the rule. */
  readonly rule: string | undefined;
  readonly effect: Decision["effect"] | undefined;
  /** What happened, in one line; "" for an image that is accepted. */
  readonly text: string;
  /** Whether it failed by a defect of tsign. */
  readonly isDefect: boolean;
  /** How the decision was obtained. */
  readonly source: string;
}

const MAX_TEXT = 1500;

/** Describes the outcome for an image. */
export function answerOf(outcome: Outcome): Answer {
  const { image, rule, effect } = outcome;
  const common = { image, rule: rule?.name, effect };
  if (outcome.kind === "failed") {
    const { error, mayPass } = outcome;
    const known = error instanceof TsignError ? error : undefined;
    const reason = reasonOf(error);
    const hint = known?.hint === undefined ? "" : `; ${printable(known.hint)}`;
    const what = isOutage(error) ? "could not be checked" : "is refused";
    const why = known ? printable(known.message) : "internal error";
    const text = shortened(`image ${quoted(image)} ${what}: ${why}${hint}`);
    return {
      ...common,
      pinned: undefined,
      allowed: mayPass,
      ok: false,
      reason,
      text,
      isDefect: isDefect(error),
      source: "failed",
    };
  }
  const { decision, source } = outcome;
  const { ok, allowed, digest } = decision;
  const isUnchecked = !ok && decision.incomplete.length > 0 && !isDenied(decision);
  return {
    ...common,
    pinned: digest === undefined ? undefined : `${nameOf(image)}@${digest}`,
    allowed,
    ok,
    reason: ok ? "accepted" : isUnchecked ? "unchecked" : refusalReason(decision),
    text: ok ? "" : shortened(isUnchecked ? uncheckedText(image, decision) : refusalText(image, decision)),
    isDefect: false,
    source,
  };
}

/** The answer for an image about which a policy decides that cannot be used. */
export function answerWithout(image: string, { name, error }: { name: string; error: TsignError }): Answer {
  const why = `${printable(name)} cannot be used: ${printable(error.message)}`;
  return {
    ...{ image, pinned: undefined, allowed: false, ok: false, reason: "invalid", rule: undefined, effect: undefined },
    ...{ text: shortened(`image ${quoted(image)} is refused: ${why}`), isDefect: false, source: "failed" },
  };
}

/**
 * One answer of those by several policies, all of which must allow the image: the first refusal, else what one of them warns of. They
 * must have decided about the same image: a tag may be moved between two looks.
 */
export function combined(answers: readonly Answer[]): Answer {
  const [first] = answers;
  if (!first) throw new TsignError("internal", "no policy has decided");
  const refused = answers.filter(({ allowed }) => !allowed);
  const decided = refused.find(({ reason }) => reason !== "unchecked") ?? refused[0];
  if (decided) return decided;
  const pinned = answers.flatMap((each) => each.pinned ?? []);
  if (new Set(pinned).size > 1) {
    const text = shortened(`image ${quoted(first.image)} could not be checked: its tag was moved meanwhile; try again`);
    return { ...first, pinned: undefined, allowed: false, ok: false, reason: "unchecked", text };
  }
  const tolerated = answers.filter(({ ok }) => !ok);
  const shown = tolerated.find(({ effect }) => effect === "warn") ?? tolerated[0] ?? first;
  return { ...shown, pinned: pinned[0] };
}

function reasonOf(error: unknown): Answer["reason"] {
  if (isOutage(error)) return "unchecked";
  const code = error instanceof TsignError ? error.code : "internal";
  return code === "image-not-found" ? "not-found" : "invalid";
}

function isDefect(error: unknown): boolean {
  return !(error instanceof TsignError) || error.code === "internal";
}

/** Whether the digest is one that the policy denies. */
function isDenied({ reasons, ok, allowed, effect }: Decision): boolean {
  return !ok && !allowed && (effect !== "enforce" || reasons[0]?.startsWith("denied digest: ") === true);
}

function refusalReason(decision: Decision): Answer["reason"] {
  if (isDenied(decision)) return "denied";
  if (decision.rule === undefined) return "no-rule";
  const { demands } = decision;
  return demands.length > 0 && demands.every(({ count }) => count === 0) ? "unsigned" : "refused";
}

/** The image, the rule, what is missing, the nearest miss, and what to do. */
function refusalText(image: string, decision: Decision): string {
  const { rule, allowed, reasons, policy } = decision;
  const outcome = allowed ? "does not satisfy" : "is refused by";
  const by = rule ? `rule ${quoted(rule.name)} (${printable(rule.place)})` : printable(policy);
  const nearest = nearestMiss(decision);
  const near = nearest === undefined ? "" : `; nearest: ${nearest}`;
  return `image ${quoted(image)} ${outcome} ${by}: ${reasons.map(printable).join("; ")}${near}; ${adviceFor(image, decision)}`;
}

function adviceFor(image: string, decision: Decision): string {
  const reason = refusalReason(decision);
  if (reason === "denied") return "use another image";
  if (reason === "no-rule") return "add a rule for the image to the policy";
  if (reason === "unsigned") return "sign the image, then try again";
  if (decision.reasons.includes(UNPINNED)) return "name the image by its digest: registry/repository@sha256:…";
  if (decision.demands.length === 0) return "use another image";
  return `to see every signature, run \`tsign policy explain ${shellQuoted(printable(decision.policy))} ${shellQuoted(printable(image))}\``;
}

function uncheckedText(image: string, { incomplete, rule }: Decision): string {
  const [first] = incomplete;
  const by = rule ? ` for rule ${quoted(rule.name)}` : "";
  return `image ${quoted(image)} could not be checked${by}: ${printable(first?.where ?? "")}: ${printable(first?.reason ?? "")}; try again`;
}

/** The signature that came nearest to what is demanded, with what it lacks. */
function nearestMiss({ demands }: Decision): string | undefined {
  const missed = demands
    .filter(({ ok }) => !ok)
    .flatMap(({ found }) => found.filter(({ counted }) => counted.length === 0));
  for (const { signer, notCounted, nearest } of missed) {
    const miss = notCounted[0] ?? nearest;
    if (miss) return `${printable(signer)}: ${miss.reasons.map(printable).join("; ")}`;
  }
  return undefined;
}

/** An image's name without tag and digest, as it is written. */
function nameOf(image: string): string {
  const [name = ""] = image.split("@", 1);
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name;
}

/** A text from outside, quoted on one line. */
function quoted(text: string): string {
  return `"${printable(text.length > 300 ? `${text.slice(0, 300)}…` : text)}"`;
}

function shortened(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
