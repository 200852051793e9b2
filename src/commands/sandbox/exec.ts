import { defineCommand, flag } from "../../cli/define.ts";
import { TsignError } from "../../errors.ts";
import { SANDBOX_NOTICE, sandboxEnvironment, startSandbox } from "../../sandbox/serve.ts";

export default defineCommand({
  usage: "[flags] -- <command…>",
  summary: "Run a command inside a sandbox of its own",
  about:
    "Starts a sandbox, runs a command that finds its registry in TSIGN_SANDBOX and tsign on its PATH, and ends with the " +
    `command's exit code. ${SANDBOX_NOTICE}`,
  examples: ["tsign sandbox exec -- sh -c 'tsign sandbox push hello && tsign tree $TSIGN_SANDBOX/hello:latest'"],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: { referrers: flag.bool("have the referrers API", { default: true }) },
  bindEnvironment: false,
  async run(io, { args: [file = "", ...rest], flags }) {
    const sandbox = await startSandbox(io, { port: 0, referrers: flags.referrers });
    try {
      const env = { ...io.env, ...sandboxEnvironment(io, sandbox.registry) };
      const { code } = await io.spawn(file, rest, { env, inherit: true });
      if (code !== 0) throw new TsignError("input", "", { exitCode: code });
    } finally {
      await sandbox.close();
    }
  },
});
