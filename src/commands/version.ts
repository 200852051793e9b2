import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the version",
  about: "Prints the version of tsign and of what it runs on.",
  examples: ["tsign version", "tsign version --json"],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { json: flag.bool("print JSON instead of text") },
  bindEnvironment: false,
});
