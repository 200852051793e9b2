import { sandboxFlags } from "../../cli/flags/sandbox.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { SANDBOX_NOTICE } from "../../sandbox/server/names.ts";

export default defineCommand({
  usage: "[flags] -- <command…>",
  summary: "Run a command inside a sandbox of its own",
  about:
    "Starts a sandbox, runs a command with its environment (TSIGN_SANDBOX and the rest of `sandbox env`) and tsign on its " +
    `PATH, and ends with the command's exit code. ${SANDBOX_NOTICE}`,
  examples: [
    "tsign sandbox exec -- sh -c 'tsign sandbox push hello && tsign tree $TSIGN_SANDBOX/hello:latest'",
    "tsign sandbox exec --clock=-24h -- make test",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: { ...sandboxFlags },
  bindEnvironment: false,
});
