import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "--format cip|ivp|policy.json [flags] <policy>",
  summary: "Write a trust policy for another program",
  about:
    "Prints a trust policy in the form of another program: ClusterImagePolicy for policy-controller (cip), ImageValidatingPolicy for Kyverno (ivp), or policy.json for podman, skopeo and CRI-O. What that program cannot demand is refused there and named on stderr with the place of its rule; it accepts nothing that the trust policy refuses.",
  examples: [
    "# Enforce a policy with policy-controller",
    "tsign policy export --format cip --output-file policies.yaml tsign.policy.yaml",
    "# Enforce a policy on a host that runs podman",
    "tsign policy export --format policy.json --output-file policy.json tsign.policy.yaml",
  ],
  result: shape.object({
    policy: shape.text("the other program's policy"),
    notes: shape.list(
      shape.object({
        kind: shape.text("refused, stricter or needs"),
        place: shape.text("file:line:column"),
        text: shape.text(),
      }),
      "what is refused there, demanded more, or needed",
    ),
  }),
  args: { min: 1, max: 1 },
  flags: {
    format: flag.string("form of the policy: cip, ivp or policy.json"),
    strict: flag.bool("fail if a part of the policy has no equal"),
  },
});
