import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the version",
  about: "Prints the version of tsign and of its runtime.",
  examples: ["# Print the version as text", "tsign version", "# Print the version as JSON", "tsign version --json"],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { json: flag.bool("print JSON instead of text") },
  bindEnvironment: false,
});
