import { sandboxFlags } from "../../cli/flags/sandbox.ts";
import { sandboxOptions } from "../../cli/options/sandbox.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { pathWithTsign } from "../../sandbox/server/environment.ts";
import { SANDBOX_NOTICE, startSandbox } from "../../sandbox/server/serve.ts";

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
  async run(io, { args: [file = "", ...rest], flags }) {
    const sandbox = await startSandbox(io, { port: 0, ...sandboxOptions(io, flags) });
    try {
      const env = { ...io.env, ...sandbox.variables, PATH: pathWithTsign(io) };
      const { code } = await io.spawn(file, rest, { env, inherit: true, signal: io.signal });
      if (code !== 0) throw new TsignError("input", "", { exitCode: code });
    } finally {
      await sandbox.close();
    }
  },
});
