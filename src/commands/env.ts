import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Print the environment variables tsign reads",
  about: "Prints every environment variable that matters to tsign, with its value. Secrets are masked.",
  examples: ["tsign env", "tsign env --show-descriptions=false"],
  args: { min: 0, max: 0 },
  flags: {
    showDescriptions: flag.bool("say what each variable is for", { default: true }),
    showSensitiveValues: flag.bool("print secrets as they are"),
  },
  bindEnvironment: false,
});
