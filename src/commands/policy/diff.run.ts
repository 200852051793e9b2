import { registryOptions } from "../../cli/flags/registry.ts";
import { loadTrustPolicy } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { imageTarget, openImage } from "../../images/open.ts";
import { parseReference } from "../../oci/ref.ts";
import { decideImage, decideOptions } from "../../trust-policy/decide.ts";
import type { Decision } from "../../trust-policy/decision.ts";
import { mirrorsOf } from "../../trust-policy/mirrors.ts";
import { outcomeOf } from "../../trust-policy/run-case.ts";
import { PolicySources } from "../../trust-policy/sources.ts";
import type definition from "./diff.ts";

export const run: Run<typeof definition> = async (io, { args: [from = "", to = "", ...images], flags, answer }) => {
  const policies = [await loadTrustPolicy(io, from), await loadTrustPolicy(io, to)].map((policy) => ({
    policy,
    sources: new PolicySources(io, policy, (text) => io.stderr.write(`WARNING: ${text}\n`)),
  }));
  const registry = registryOptions(flags);
  const options = decideOptions(io.env);
  const compared: Compared[] = [];
  for (const image of images) {
    const decisions: Decision[] = [];
    for (const { policy, sources } of policies) {
      const mirrors = mirrorsOf(policy, parseReference(image));
      const opened = await openImage(io, image, { registry, mustExist: true, mirrors });
      const target = await imageTarget(io, opened, registry);
      const { decision } = await decideImage(io, sources, { policy, ref: opened.ref, target }, options);
      decisions.push(decision);
    }
    const [before, after] = decisions;
    if (before && after) compared.push({ image, before, after });
  }
  const changed = compared.filter(({ before, after }) => outcomeOf(before) !== outcomeOf(after));
  const summary = { changed: changed.length, images: compared };
  const lines = [...compared.flatMap(linesOf), `${changed.length} of ${compared.length} verdicts change`];
  answer(summary);
  for (const line of lines) io.stdout.write(`${line}\n`);
  if (flags.exitCode && changed.length > 0) {
    throw new TsignError(
      "policy",
      `compare ${from} with ${to}: ${changed.length} of ${compared.length} verdicts change`,
    );
  }
  return summary;
};

/** An image, and what two policies decide about it. */
interface Compared {
  readonly image: string;
  readonly before: Decision;
  readonly after: Decision;
}

function linesOf({ image, before, after }: Compared): string[] {
  const [was, is] = [outcomeOf(before), outcomeOf(after)];
  const rule = ({ rule: by }: Decision) => (by ? ` by ${by.name}` : "");
  const text =
    was === is
      ? `same     ${image}: ${is}${rule(after)}`
      : `changed  ${image}: ${was}${rule(before)} -> ${is}${rule(after)}`;
  const reasons = was === is || is === "accept" ? [] : after.reasons.map((reason) => `           ${printable(reason)}`);
  return [printable(text), ...reasons];
}
