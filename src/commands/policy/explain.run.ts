import { registryOptions } from "../../cli/flags/registry.ts";
import { loadTrustPolicy } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { decisionLines } from "../../cli/print/trust-decision.ts";
import { printable } from "../../format/printable.ts";
import { imageTarget, openImage } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import type { RegistryOptions } from "../../oci/open.ts";
import { formatReference, parseReference } from "../../oci/ref.ts";
import { describeRule } from "../../trust-policy/check.ts";
import { decideImage, decideOptions, ruleForImage } from "../../trust-policy/decide.ts";
import type { Decision } from "../../trust-policy/decision.ts";
import { mirrorsOf } from "../../trust-policy/mirrors.ts";
import type { TrustPolicy } from "../../trust-policy/model.ts";
import { PolicySources } from "../../trust-policy/sources.ts";
import type definition from "./explain.ts";

export const run: Run<typeof definition> = async (io, { args: [file = "", image = ""], flags }) => {
  const policy = await loadTrustPolicy(io, file);
  const ref = parseReference(image);
  const rule = ruleForImage(policy, ref);
  const decision = flags.nameOnly ? undefined : await decideOn(io, policy, image, registryOptions(flags));
  const name = formatReference(ref);
  const described = rule && { name: rule.name, place: rule.place, demands: describeRule(rule) };
  const lines = [
    `image     ${name}`,
    rule
      ? `rule      ${printable(rule.name)} (${printable(rule.place)})`
      : `rule      none; effect: ${policy.unmatched}`,
    ...(described?.demands ?? []).map((line) => `  demands  ${printable(line)}`),
    ...(decision ? decisionLines(decision) : []),
  ];
  for (const line of lines)
    io.stdout.write(`${line}
`);
  return { image: name, ...(described ? { rule: described } : {}), ...(decision ? { decision } : {}) };
};

async function decideOn(io: Io, policy: TrustPolicy, image: string, registry: RegistryOptions): Promise<Decision> {
  const opened = await openImage(io, image, {
    registry,
    mustExist: true,
    mirrors: mirrorsOf(policy, parseReference(image)),
  });
  const target = await imageTarget(io, opened, registry);
  const sources = new PolicySources(io, policy, (text) => io.stderr.write(`WARNING: ${text}\n`));
  const options = decideOptions(io.env);
  return (await decideImage(io, sources, { policy, ref: opened.ref, target }, options)).decision;
}
