import { defineCommand, flag } from "../cli/define.ts";
import { otherVariables, VARIABLES } from "../cli/variables.ts";

const MASK = "******";

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
  async run(io, { flags }) {
    const shown = (value: string, secret: boolean) =>
      secret && value !== "" && !flags.showSensitiveValues ? MASK : value;
    for (const { name, about, expects, secret = false } of VARIABLES) {
      if (flags.showDescriptions) io.stdout.write(`# ${name} ${about}\n# Expects: ${expects}\n`);
      io.stdout.write(`${name}=${shown(io.env[name] ?? "", secret)}\n`);
    }
    for (const name of otherVariables(io.env)) {
      if (flags.showDescriptions) io.stdout.write(`# ${name} sets a flag, or nothing\n`);
      io.stdout.write(`${name}=${shown(io.env[name] ?? "", true)}\n`);
    }
  },
});
