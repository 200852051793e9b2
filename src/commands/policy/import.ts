import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Write a trust policy from another program's policy",
  about:
    "Reads a policy of another program and prints a trust policy that decides the same: ClusterImagePolicy (policy-controller), ClusterPolicy and ImageValidatingPolicy (Kyverno), policy.json (containers), the values of Connaisseur, or command lines of cosign verify. The form is found by content. Each part without an equal is named on stderr with file, line and column; images that such a part decides on are refused, or more is demanded of them. Where the other program reads one form of signatures only, both are accepted.",
  examples: [
    "# Write a policy from what policy-controller enforces",
    "tsign policy import --output-file tsign.policy.yaml cluster-image-policy.yaml",
    "# Write a policy from a script that runs cosign verify",
    "tsign policy import verify.sh",
    "# Fail if a part of the policy has no equal",
    "tsign policy import --strict kyverno.yaml",
  ],
  result: shape.object({
    form: shape.text("what the file is"),
    policy: shape.text("the policy, as YAML"),
    notes: shape.list(
      shape.object({
        kind: shape.text("refused, stricter, forms, file or unused"),
        place: shape.text("file:line:column"),
        text: shape.text(),
      }),
      "what has no equal",
    ),
  }),
  args: { min: 1, max: 1 },
  flags: {
    anySignedRepository: flag.bool("import requirements of policy.json without the signed repository (insecure)", {
      weakens: { when: true, effect: "signatures that were made for another repository count" },
    }),
    strict: flag.bool("fail if a part of the policy has no equal"),
  },
});
