import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the version",
  about: "Prints the version of tsign and of its runtime.",
  examples: ["# Print the version as text", "tsign version", "# Print the version as JSON", "tsign version --json"],
  result: shape.own(
    shape.object({
      gitVersion: shape.text(),
      gitCommit: shape.text(),
      gitTreeState: shape.text(),
      buildDate: shape.text(),
      goVersion: shape.text("of the runtime"),
      compiler: shape.text(),
      policyEngine: shape.text("how policies are evaluated"),
      trustPackage: shape.text(),
      tufRootVersion: shape.text(),
      tufRootExpires: shape.text(),
      platform: shape.text(),
    }),
  ),
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { json: flag.bool("print JSON instead of text") },
  bindEnvironment: false,
});
