import { defineCommand, flag } from "../../cli/define.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io.ts";
import { SANDBOX_NOTICE, startSandbox } from "../../sandbox/serve.ts";
import { findSandbox, removeState, writeState } from "../../sandbox/state.ts";

const START_TIMEOUT = 10_000;
const POLL = 50;

export default defineCommand({
  usage: "[flags]",
  summary: "Start a registry on this machine to learn and test with",
  about: `Starts a registry in memory, on a loopback address, in the background. ${SANDBOX_NOTICE}`,
  examples: ["tsign sandbox up", 'eval "$(tsign sandbox env)"', "tsign sandbox push hello"],
  args: { min: 0, max: 0 },
  flags: {
    foreground: flag.bool("stay in the foreground until interrupted, or until --timeout"),
    port: flag.int("port to listen on; 0 takes a free one"),
    referrers: flag.bool("have the referrers API", { default: true }),
  },
  bindEnvironment: false,
  async run(io, { flags }) {
    const running = await findSandbox(io);
    if (running) throw new TsignError("input", `a sandbox is running on localhost:${running.port}`);
    if (flags.foreground) return serve(io, flags);
    const args = [
      "sandbox",
      "up",
      "--foreground",
      "--timeout",
      "720h",
      `--port=${flags.port}`,
      `--referrers=${flags.referrers}`,
    ];
    await io.detach(io.launcher.node, [io.launcher.script, ...args]);
    const started = io.now().getTime();
    for (;;) {
      const found = await findSandbox(io);
      if (found) return announce(io, `localhost:${found.port}`);
      if (io.now().getTime() - started > START_TIMEOUT) {
        throw new TsignError("input", "the sandbox did not start", { hint: "tsign sandbox up --foreground says why" });
      }
      await io.sleep(POLL, io.signal);
    }
  },
});

async function serve(io: Io, options: { port: number; referrers: boolean }): Promise<void> {
  const token = Buffer.from(io.random(24)).toString("base64url");
  const sandbox = await startSandbox(io, { ...options, token });
  await writeState(io, { port: sandbox.port, token });
  announce(io, sandbox.registry);
  const interrupted = new Promise<void>((done) => {
    io.signal.addEventListener("abort", () => done(), { once: true });
  });
  try {
    await Promise.race([sandbox.stopped, interrupted]);
  } finally {
    await removeState(io);
    await sandbox.close();
  }
}

function announce(io: Io, registry: string): void {
  io.stderr.write(`The sandbox's registry is ${registry}\n${SANDBOX_NOTICE}\n`);
}
