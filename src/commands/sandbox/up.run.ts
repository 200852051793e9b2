import { sandboxOptions } from "../../cli/options/sandbox.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { SANDBOX_NOTICE } from "../../sandbox/server/names.ts";
import { runtimeFolder, type SandboxOptions, startSandbox } from "../../sandbox/server/serve.ts";
import { findSandbox, removeState, sandboxEnvironment, writeState } from "../../sandbox/server/state.ts";
import type definition from "./up.ts";

export const run: Run<typeof definition> = async (io, { flags }) => {
  const running = await findSandbox(io);
  if (running) {
    throw new TsignError("input", `a sandbox is already running on localhost:${running.port}`, {
      hint: 'use it with `eval "$(tsign sandbox env)"`, or stop it with `tsign sandbox down`',
    });
  }
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
  await startInBackground(io, args);
  announce(io, await sandboxEnvironment(io));
};

const START_TIMEOUT = 10_000;

const POLL = 50;

/** Starts the child and waits until it serves; if it ends, throws the error that it wrote. */
async function startInBackground(io: Io, args: readonly string[]): Promise<void> {
  const folder = runtimeFolder(io.env);
  await io.files.makeDirectory(folder, { mode: 0o700 });
  const errors = `${folder}/sandbox.log`;
  const [program = "", ...first] = io.launcher.command;
  const { ended } = await io.detach(program, [...first, ...args], { errors });
  let running = true;
  ended.then(() => {
    running = false;
  });
  const started = io.now().getTime();
  while (running && io.now().getTime() - started < START_TIMEOUT) {
    if (await findSandbox(io)) return;
    await Promise.race([io.sleep(POLL, io.signal), ended]);
  }
  throw await startFailure(io, errors);
}

async function startFailure(io: Io, errors: string): Promise<TsignError> {
  const text = Buffer.from(await io.files.read(errors, { maxBytes: 1024 * 1024 })).toString("utf8");
  const [, reason] = /^Error: (.+)$/m.exec(text) ?? [];
  const [, hint = `read ${errors}`] = /^hint: (.+)$/m.exec(text) ?? [];
  const message = reason === undefined ? "" : `: ${printable(reason)}`;
  return new TsignError("input", `the sandbox did not start${message}`, { hint: printable(hint) });
}

/** Serves until it is stopped, then removes its state file and its folder. */
function serve(io: Io, options: Omit<SandboxOptions, "token">): Promise<void> {
  return io.orderly(() => serveUntilStopped(io, options));
}

async function serveUntilStopped(io: Io, options: Omit<SandboxOptions, "token">): Promise<void> {
  const token = Buffer.from(io.random(24)).toString("base64url");
  const sandbox = await startSandbox(io, { ...options, token });
  const interrupted = new Promise<void>((done) => {
    io.signal.addEventListener("abort", () => done(), { once: true });
  });
  try {
    await writeState(io, { port: sandbox.port, token });
    announce(io, sandbox.variables);
    await Promise.race([sandbox.stopped, interrupted]);
    await removeState(io);
  } finally {
    await sandbox.close();
  }
}

/** The addresses printed at the start, by their variables. */
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
