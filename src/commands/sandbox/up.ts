import { defineCommand, flag } from "../../cli/define.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io.ts";
import { sandboxFlags, sandboxOptions } from "../../sandbox/flags.ts";
import { SANDBOX_NOTICE, type SandboxOptions, startSandbox } from "../../sandbox/serve.ts";
import { findSandbox, removeState, sandboxEnvironment, writeState } from "../../sandbox/state.ts";

const START_TIMEOUT = 10_000;
const POLL = 50;

export default defineCommand({
  usage: "[flags]",
  summary: "Start a Sigstore and a registry on this machine to learn and test with",
  about:
    "Starts in the background, on the loopback address: an OIDC issuer, Fulcio with a CT log, Rekor versions 1 and 2, a " +
    `timestamp authority, a TUF repository and a registry. ${SANDBOX_NOTICE}`,
  examples: ["tsign sandbox up", 'eval "$(tsign sandbox env)"', "tsign sandbox push hello"],
  args: { min: 0, max: 0 },
  flags: {
    foreground: flag.bool("stay in the foreground until interrupted, or until --timeout"),
    port: flag.int("port to listen on; 0 takes that of --state, or a free one"),
    ...sandboxFlags,
  },
  bindEnvironment: false,
  async run(io, { flags }) {
    const running = await findSandbox(io);
    if (running) throw new TsignError("input", `a sandbox is running on localhost:${running.port}`);
    const options = sandboxOptions(io, flags);
    if (flags.foreground) return serve(io, { ...options, port: flags.port });
    const args = [
      "sandbox",
      "up",
      "--foreground",
      "--timeout",
      "720h",
      `--port=${flags.port}`,
      `--referrers=${flags.referrers}`,
      ...(options.state === undefined ? [] : [`--state=${options.state}`]),
      ...(flags.clock === "" ? [] : [`--clock=${flags.clock}`]),
      ...flags.fault.map((fault) => `--fault=${fault}`),
    ];
    await io.detach(io.launcher.node, [io.launcher.script, ...args]);
    const started = io.now().getTime();
    for (;;) {
      const found = await findSandbox(io);
      if (found) return announce(io, await sandboxEnvironment(io));
      if (io.now().getTime() - started > START_TIMEOUT) {
        throw new TsignError("input", "the sandbox did not start", { hint: "tsign sandbox up --foreground says why" });
      }
      await io.sleep(POLL, io.signal);
    }
  },
});

async function serve(io: Io, options: Omit<SandboxOptions, "token">): Promise<void> {
  const token = Buffer.from(io.random(24)).toString("base64url");
  const sandbox = await startSandbox(io, { ...options, token });
  await writeState(io, { port: sandbox.port, token });
  announce(io, sandbox.variables);
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

/** What the first lines say of it, by the variables that hold it. */
const ANNOUNCED = {
  Registry: "TSIGN_SANDBOX",
  "OIDC issuer": "TSIGN_SANDBOX_ISSUER",
  "CI issuer": "TSIGN_SANDBOX_CI_ISSUER",
  Fulcio: "TSIGN_SANDBOX_FULCIO",
  "Rekor 1 and 2": "TSIGN_SANDBOX_REKOR",
  Timestamps: "TSIGN_SANDBOX_TSA",
  TUF: "TUF_MIRROR",
  "Trusted root": "TSIGN_SANDBOX_TRUSTED_ROOT",
  "Signing config": "TSIGN_SANDBOX_SIGNING_CONFIG",
};

function announce(io: Pick<Io, "stderr">, variables: Readonly<Record<string, string>>): void {
  for (const [name, variable] of Object.entries(ANNOUNCED)) {
    io.stderr.write(`${`${name}:`.padEnd(16)}${variables[variable]}\n`);
  }
  io.stderr.write('Use it:         eval "$(tsign sandbox env)"\n');
  io.stderr.write("Identities:     tsign sandbox token --email you@example.com\n");
  io.stderr.write(`${SANDBOX_NOTICE}\n`);
}
