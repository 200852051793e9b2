import { printable } from "../../format/printable.ts";
import type { Lines } from "../../io/io.ts";
import type { Decided } from "../../trust-policy/decide.ts";
import type { Decision, DemandOutcome, NotCounted } from "../../trust-policy/decision.ts";
import { printSigners } from "./signed-by.ts";

/** What happened, in a word: "accepted", "refused", or what the effect of the rule makes of a refusal. */
function wordFor({ ok, allowed, effect }: Decision): string {
  if (ok) return "accepted";
  if (!allowed) return "refused";
  return effect === "warn" ? "accepted with a warning" : "accepted, and recorded as not satisfying the policy";
}

/** A decision in lines: the rule, the outcome, and for each demand what counts, what does not, and why. */
export function decisionLines(decision: Decision): string[] {
  const { rule, reasons, demands, incomplete, digest } = decision;
  return [
    ...(digest === undefined ? [] : [`digest    ${digest}`]),
    `decision  ${wordFor(decision)}${rule ? ` by ${printable(rule.name)} (${printable(rule.place)})` : ""}`,
    ...reasons.map((reason) => `  missing  ${printable(reason)}`),
    ...demands.flatMap(demandLines),
    ...incomplete.map(({ where, reason }) => `  not searched  ${printable(where)}: ${printable(reason)}`),
  ];
}

/** Prints what was decided about an image: who signed what satisfies the policy; or why it does not, in full. */
export function printDecision(
  stderr: Lines,
  { decision, verified, logs }: Decided,
  { explain }: { readonly explain: boolean },
): void {
  const { ok, allowed, effect, subject, policy, reasons, rule } = decision;
  if (ok) {
    stderr.write(`${printable(subject)} satisfies ${printable(rule?.name ?? "")} of ${printable(policy)}\n`);
    printSigners(stderr, { verified, logs });
  } else {
    const level = allowed && effect === "warn" ? "WARNING: " : "";
    const outcome = allowed ? "does not satisfy" : "is refused by";
    stderr.write(`${level}${printable(subject)} ${outcome} ${printable(policy)}: ${printable(reasons.join("; "))}\n`);
  }
  if (explain || !ok) for (const line of decisionLines(decision)) stderr.write(`${line}\n`);
}

function demandLines({ demand, ok, signers, found, count }: DemandOutcome): string[] {
  const lines = found.flatMap(({ signer, counted, notCounted, nearest }) => [
    ...counted.map(({ where, by, time }) => {
      const at = time === undefined ? "" : ` at ${time}`;
      return `    ${signer}: counts: ${printable(by)}${at} (${printable(where)})`;
    }),
    ...notCounted.map((each) => `    ${signer}: does not count: ${textOf(each)}`),
    ...(nearest ? [`    ${signer}: does not verify: ${textOf(nearest)}`] : []),
    ...(counted.length + notCounted.length === 0 && !nearest ? [`    ${signer}: nothing found`] : []),
  ]);
  return [`  ${printable(demand)}: ${ok ? "met" : "not met"}: ${printable(signers)} (${count} found)`, ...lines];
}

function textOf({ where, reasons }: NotCounted): string {
  return `${reasons.map(printable).join("; ")} (${printable(where)})`;
}
