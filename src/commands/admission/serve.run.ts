import { Decider } from "../../admission/decider.ts";
import { LivePolicy } from "../../admission/live-policy.ts";
import { AdmissionService } from "../../admission/service.ts";
import { registryOptions } from "../../cli/flags/registry.ts";
import { trustPolicyFile } from "../../cli/flags/trust-policy.ts";
import { readPolicyFile } from "../../cli/options/trust-policy.ts";
import type { Invocation, Run } from "../../cli/parser/define.ts";
import { withEnding } from "../../cli/stopping.ts";
import { TsignError } from "../../errors.ts";
import type { Io, ListenOptions } from "../../io/io.ts";
import { maxAttachmentSize } from "../../oci/attachments.ts";
import type definition from "./serve.ts";

type ServeFlags = Invocation<(typeof definition)["flags"]>["flags"];

/** Most concurrent fetches of the signatures of one image. */
const WORKERS = 10;
/** Largest certificate and key file, in bytes. */
const MAX_PEM = { maxBytes: 1024 * 1024 };
/** How long requests are answered after the end of listening. Milliseconds. */
const LAST_ANSWERS = 40_000;

export const run: Run<typeof definition> = async (io, { flags }) => {
  const file = requirePolicy(io, flags);
  const address = await readAddress(io, flags);
  await io.orderly(() => withEnding(io.signal, () => serve(io, { flags, file, address })));
};

async function serve(io: Io, of: { flags: ServeFlags; file: string; address: ListenOptions }): Promise<void> {
  const { flags, file, address } = of;
  const log = (entry: Readonly<Record<string, unknown>>) =>
    io.stderr.write(`${JSON.stringify({ time: io.now().toISOString(), ...entry })}\n`);
  // Requests are still answered after the signal that ends the command.
  const ended = new AbortController();
  const own: Io = Object.create(io, { signal: { value: ended.signal } });
  const policy = await LivePolicy.open(own, {
    read: () => readPolicyFile(own, file),
    registry: registryOptions(flags),
    warn: (text) => log({ level: "warning", message: text }),
  });
  const options = { maxBytes: maxAttachmentSize(io.env), workers: WORKERS, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(own, { current: () => policy.current, options });
  const { providerTimeout } = flags;
  const needsClient = address.tls?.clientCa !== undefined;
  const service = new AdmissionService(own, { policy, decider, providerTimeout, needsClient, log });
  const listening = await io.listen(address, (request) => service.handle(request));
  log({ level: "info", message: `serving on https://${hostOf(address)}:${listening.port}`, policy: file });
  try {
    await reloadUntilStopped(io, { policy, service, log, interval: flags.reloadInterval });
    log({ level: "info", message: "shutting down" });
    service.drain();
    await own.sleep(flags.shutdownDelay);
    await Promise.race([listening.finish(), own.sleep(LAST_ANSWERS, ended.signal).catch(() => {})]);
  } finally {
    ended.abort(new TsignError("cancelled", "shut down"));
    await listening.close();
  }
}

interface Reloading {
  readonly policy: LivePolicy;
  readonly service: AdmissionService;
  readonly log: (entry: Readonly<Record<string, unknown>>) => void;
  /** Milliseconds. */
  readonly interval: number;
}

/** Reads the policy again and again until the command is stopped. One that cannot be used is reported. */
async function reloadUntilStopped(io: Io, { policy, service, log, interval }: Reloading): Promise<void> {
  while (await sleeps(io, interval)) {
    try {
      const done = await policy.refresh();
      if (done === "unchanged") continue;
      service.metrics.count("tsign_admission_policy_loads_total", { result: done });
      log({ level: "info", message: `policy ${done}`, digest: policy.current.policy.digest });
    } catch (error) {
      service.metrics.count("tsign_admission_policy_loads_total", { result: "failed" });
      const text = error instanceof Error ? error.message : String(error);
      log({ level: "error", message: `the policy stays as it was: ${text}` });
    }
  }
}

/** Waits, and returns whether the command is to go on. */
async function sleeps(io: Io, milliseconds: number): Promise<boolean> {
  if (io.signal.aborted) return false;
  await io.sleep(milliseconds, io.signal).catch(() => {});
  return !io.signal.aborted;
}

function requirePolicy(io: Io, flags: ServeFlags): string {
  const file = trustPolicyFile(io, flags);
  if (file !== undefined) return file;
  throw new TsignError("usage", "missing --trust-policy", { hint: "write a policy with `tsign policy init`" });
}

/** @throws TsignError "usage" and "input" */
async function readAddress(io: Io, { listen, tlsCert, tlsKey, clientCa }: ServeFlags): Promise<ListenOptions> {
  const [, bracketed, plain = "", port = ""] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(listen) ?? [];
  if (port === "" || Number(port) > 65_535) {
    throw new TsignError("usage", `--listen ${listen}: not an address`, {
      hint: "pass a host and a port, such as 0.0.0.0:8443",
    });
  }
  if (tlsCert === "" || tlsKey === "") {
    throw new TsignError("usage", `missing ${tlsCert === "" ? "--tls-cert" : "--tls-key"}`, {
      hint: "pass --tls-cert and --tls-key: Kubernetes calls webhooks over HTTPS only",
    });
  }
  const pem = async (file: string) => Buffer.from(await io.files.read(file, MAX_PEM)).toString("latin1");
  const tls = {
    cert: await pem(tlsCert),
    key: await pem(tlsKey),
    ...(clientCa === "" ? {} : { clientCa: await pem(clientCa) }),
  };
  if (tls.clientCa !== undefined && !tls.clientCa.includes("-----BEGIN CERTIFICATE-----")) {
    throw new TsignError("input", `read ${clientCa}: there is no certificate in it`, {
      hint: "pass a PEM file of CA certificates",
    });
  }
  return { host: bracketed ?? (plain === "" ? "0.0.0.0" : plain), port: Number(port), tls };
}

function hostOf({ host }: ListenOptions): string {
  return host.includes(":") ? `[${host}]` : host;
}
