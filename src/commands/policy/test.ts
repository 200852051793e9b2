import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <policy>",
  summary: "Run the cases of a trust policy",
  about:
    "Decides on the cases of a trust policy and compares the decisions with the expected ones: the cases under tests: in the policy, in the file beside it (tsign.policy.test.yaml beside tsign.policy.yaml), and in the files of --cases. Signatures are read from saved bundles and layouts; nothing is read from the network. Fails if a case fails, and if there is no case. With --complete also fails if a demand of the policy can be left out without a case failing.",
  examples: [
    "# Test a policy",
    "tsign policy test tsign.policy.yaml",
    "# Fail also for demands that no case needs",
    "tsign policy test --complete tsign.policy.yaml",
  ],
  result: shape.object({
    policy: shape.text(),
    cases: shape.list(
      shape.object(
        { name: shape.text(), place: shape.text("file:line:column"), faults: shape.list(shape.text()) },
        { decision: shape.document() },
      ),
    ),
    unneeded: shape.list(shape.text(), "with --complete: demands that no case needs"),
  }),
  args: { min: 1, max: 1 },
  flags: {
    cases: flag.strings("additional files of cases"),
    complete: flag.bool("fail if a demand can be left out without a case failing"),
  },
});
