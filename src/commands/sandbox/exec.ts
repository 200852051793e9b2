import { sandboxFlags } from "../../cli/flags/sandbox.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { SANDBOX_NOTICE } from "../../sandbox/server/names.ts";

export default defineCommand({
  usage: "[flags] -- <command…>",
  summary: "Run a command in a temporary sandbox",
  about: `Starts a sandbox, runs a command with its environment variables (TSIGN_SANDBOX and those that \`tsign sandbox env\` prints), stops the sandbox, and exits with the command's exit code. ${SANDBOX_NOTICE}`,
  examples: [
    "# Push an image and show it in a temporary sandbox",
    "tsign sandbox exec -- sh -c 'tsign sandbox push hello && tsign tree $TSIGN_SANDBOX/hello:latest'",
    "# Run tests with the services' clock set back by a day",
    "tsign sandbox exec --clock=-24h -- make test",
  ],
  result: "none",
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: { ...sandboxFlags },
  bindEnvironment: false,
  runsProgram: true,
});
