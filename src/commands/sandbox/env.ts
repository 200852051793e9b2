import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "",
  summary: "Print the sandbox's environment for a shell",
  about: "Prints what a shell has to evaluate so that tsign and cosign use the sandbox, and only that.",
  examples: ['eval "$(tsign sandbox env)"'],
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
});
