import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <policy>",
  summary: "Check a trust policy file",
  about:
    "Checks a trust policy: its schema, rules that never decide because earlier ones match all their images, patterns that may match more than intended, skipped checks, retired and unused signers, and that every key can be read. Prints one line for each finding. Fails for errors, and with --strict also for warnings.",
  examples: [
    "# Check a policy",
    "tsign policy check tsign.policy.yaml",
    "# Fail a build for any finding, without asking key services",
    "tsign policy check --strict --skip-keys tsign.policy.yaml",
  ],
  result: shape.object({
    policy: shape.text(),
    rules: shape.count(),
    signers: shape.count(),
    errors: shape.count(),
    warnings: shape.count(),
    findings: shape.list(
      shape.object({
        place: shape.text("file:line:column"),
        level: shape.choice(["error", "warning"]),
        text: shape.text(),
      }),
    ),
  }),
  args: { min: 1, max: 1 },
  flags: {
    skipKeys: flag.bool("do not read the keys of the policy", {
      weakens: { when: true, effect: "the keys of the policy are not read" },
    }),
    strict: flag.bool("fail for warnings"),
  },
});
