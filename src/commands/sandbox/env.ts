import { defineCommand } from "../../cli/define.ts";
import { sandboxRegistry } from "../../sandbox/state.ts";

export default defineCommand({
  usage: "",
  summary: "Print the sandbox's environment for a shell",
  about: "Prints what a shell has to evaluate so that programs find the sandbox.",
  examples: ['eval "$(tsign sandbox env)"'],
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
  async run(io) {
    io.stdout.write(`export TSIGN_SANDBOX=${await sandboxRegistry(io)}\n`);
  },
});
