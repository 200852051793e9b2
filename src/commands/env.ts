import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the environment variables that tsign reads",
  about: "Prints the environment variables that tsign reads and their values. Secrets are masked.",
  examples: [
    "# Print all variables with descriptions",
    "tsign env",
    "# Print only names and values",
    "tsign env --show-descriptions=false",
  ],
  args: { min: 0, max: 0 },
  flags: {
    showDescriptions: flag.bool("print a description of each variable", { default: true }),
    showSensitiveValues: flag.bool("print secrets instead of masking them"),
  },
  bindEnvironment: false,
});
