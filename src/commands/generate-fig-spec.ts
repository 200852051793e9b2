import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print a completion specification for Fig",
  about: "Prints all commands and flags as a TypeScript file for Fig and compatible terminals.",
  examples: ["# Save the specification", "tsign generate-fig-spec > tsign.ts"],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { includeHidden: flag.bool("include hidden commands") },
  bindEnvironment: false,
});
