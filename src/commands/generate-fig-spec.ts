import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print a completion specification for Fig",
  about: "Prints every command and flag as a TypeScript file that Fig and other terminals complete from.",
  examples: ["tsign generate-fig-spec > tsign.ts"],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { includeHidden: flag.bool("also the commands that are not for daily use") },
  bindEnvironment: false,
});
