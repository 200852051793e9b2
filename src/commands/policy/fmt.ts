import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <policy>",
  summary: "Print a trust policy file in its usual layout",
  about:
    "Prints a trust policy with its fields in the usual order and its layout made uniform. Comments stay where they belong, and the order of rules is not changed: it decides. With --write the policy is written in place. With --check prints nothing, and fails if the file is not formatted.",
  examples: [
    "# Format a policy in place",
    "tsign policy fmt --write tsign.policy.yaml",
    "# Fail a build for a policy that is not formatted",
    "tsign policy fmt --check tsign.policy.yaml",
  ],
  result: shape.object({ policy: shape.text("the policy, as YAML") }),
  args: { min: 1, max: 1 },
  exclusive: [["check", "write"]],
  flags: {
    check: flag.bool("fail if the policy is not formatted, and print nothing"),
    write: flag.bool("write the formatted policy over the file"),
  },
});
