import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

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
  result: shape.object({
    variables: shape.map(shape.text(), "values by name; a secret is masked unless it is asked for"),
  }),
  args: { min: 0, max: 0 },
  flags: {
    showDescriptions: flag.bool("print a description of each variable", { default: true }),
    showSensitiveValues: flag.bool("print secrets instead of masking them"),
  },
  bindEnvironment: false,
});
