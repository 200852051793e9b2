import { CertificateKeeper } from "../../admission/certificate-keeper.ts";
import { ClusterPolicies } from "../../admission/cluster-policies.ts";
import { Decider } from "../../admission/decider.ts";
import { keepProvider } from "../../admission/gatekeeper-provider.ts";
import { LiveCertificates } from "../../admission/live-certificates.ts";
import { LivePolicy } from "../../admission/live-policy.ts";
import { writeStatuses } from "../../admission/policy-status.ts";
import { PullSecrets } from "../../admission/pull-secrets.ts";
import { AdmissionService } from "../../admission/service.ts";
import { Traces, traceTarget } from "../../admission/traces.ts";
import { readWorkloads, type Workloads } from "../../admission/workload-paths.ts";
import { registryOptions } from "../../cli/flags/registry.ts";
import {
  readAddress,
  readCertificate,
  readClientCa,
  readService,
  requireProvider,
  type ServiceName,
} from "../../cli/options/serving.ts";
import { readPolicyFile, requirePolicyFile } from "../../cli/options/trust-policy.ts";
import type { Invocation, Run } from "../../cli/parser/define.ts";
import { withEnding } from "../../cli/stopping.ts";
import { TsignError } from "../../errors.ts";
import { withParts } from "../../format/parts.ts";
import type { Io, ListenOptions, ServerTls } from "../../io/io.ts";
import { createTransport } from "../../net/http.ts";
import { type Cluster, ownCluster } from "../../services/kubernetes.ts";
import { decideOptions } from "../../trust-policy/decide.ts";
import type definition from "./serve.ts";

type ServeFlags = Invocation<(typeof definition)["flags"]>["flags"];

/** How long an image is looked at: the longest time that an API server waits for a webhook. Milliseconds. */
const MAX_TIMEOUT = 30_000;
/** How long a server of traces may take, in milliseconds, and its longest answer. */
const TRACE_TIMEOUT = 5000;
const MAX_REPLY = { maxBytes: 1024 * 1024 };
/** How long requests are answered after the end of listening. Milliseconds. */
const LAST_ANSWERS = 40_000;

export const run: Run<typeof definition> = async (io, { flags, answer }) => {
  const file = requirePolicyFile(io, flags);
  const address = readAddress(flags);
  const named = readService(flags);
  requireProvider(flags.gatekeeperProvider, named !== undefined);
  const workloads = readWorkloads(flags.workload);
  if (!named) await readCertificate(io, flags);
  await readClientCa(io, flags);
  await io.orderly(() =>
    withEnding(io.signal, () => serve(io, { flags, file, address, named, workloads, mask: answer })),
  );
};

interface Serving {
  readonly flags: ServeFlags;
  /** Path of the trust policy. */
  readonly file: string;
  readonly address: ListenOptions;
  /** The Service whose certificate is kept; undefined with files. */
  readonly named: ServiceName | undefined;
  /** Where custom resources name images. */
  readonly workloads: Workloads;
  /** Leaves secrets out of a text. */
  readonly mask: (text: string) => string;
}

async function serve(io: Io, { flags, file, address, named, workloads, mask }: Serving): Promise<void> {
  const log = (entry: Readonly<Record<string, unknown>>) =>
    io.stderr.write(`${JSON.stringify({ time: io.now().toISOString(), ...entry })}\n`);
  // Requests are still answered after the signal that ends the command.
  const ended = new AbortController();
  const own = withParts(io, { signal: ended.signal });
  const policy = await LivePolicy.open(own, {
    read: () => readPolicyFile(own, file),
    registry: registryOptions({ ...flags, registryPassword: "", registryToken: "", registryUsername: "" }),
    warn: (text) => log({ level: "warning", message: text }),
  });
  const options = decideOptions(io.env);
  const decider = new Decider(own, { current: () => policy.current, options, limit: MAX_TIMEOUT });
  const cluster = flags.pullSecrets || flags.clusterPolicies || named ? await ownCluster(own) : undefined;
  const pullSecrets = flags.pullSecrets && cluster ? new PullSecrets(cluster, own) : undefined;
  const { providerTimeout, tlsLifetime: lifetime, reloadInterval: interval } = flags;
  const keeper = named && cluster && new CertificateKeeper(cluster, own, { service: named, lifetime, log });
  const certificate = keeper ? () => keeper.read() : () => readCertificate(own, flags);
  const readTls = async () => ({ ...(await certificate()), ...(await readClientCa(own, flags)) });
  await keeper?.wait(io.signal);
  const tls: ServerTls = await readTls();
  const registry = () => policy.current.registry;
  const warn = (text: string) => log({ level: "warning", message: text });
  const policies =
    flags.clusterPolicies && cluster ? new ClusterPolicies(cluster, own, { registry, warn, log }) : undefined;
  const versions = await policies?.read();
  if (keeper && cluster) giveTasks(keeper, { cluster, policies, named, flags, log, io: own });
  const needsClient = tls.clientCa !== undefined;
  const traces = tracesOf(own, log);
  const common = { policy, policies, decider, pullSecrets, workloads, mask, providerTimeout, needsClient, log };
  const service = new AdmissionService(own, { ...common, traces });
  const listening = await io.listen({ ...address, tls }, (request) => service.handle(request));
  log({ level: "info", message: `serving on https://${hostOf(address)}:${listening.port}`, policy: file });
  const certificates = new LiveCertificates(readTls, { tls, listening });
  const tracing = traces?.run(io.signal);
  const keeping = keeper?.run(interval, io.signal);
  const watching = versions && policies?.run(versions, io.signal);
  try {
    await reloadUntilStopped(io, { policy, certificates, service, log, interval });
    log({ level: "info", message: "shutting down" });
    service.drain();
    const left = Promise.resolve(keeping).then(() => keeper?.leave());
    await own.sleep(flags.shutdownDelay);
    const done = Promise.all([listening.finish().then(() => traces?.flush()), left, watching, tracing]);
    await Promise.race([done, own.sleep(LAST_ANSWERS, ended.signal).catch(() => {})]);
  } finally {
    ended.abort(new TsignError("cancelled", "shut down"));
    await listening.close();
  }
}

/** What the elected replica does besides keeping the certificate. */
function giveTasks(
  keeper: CertificateKeeper,
  of: Pick<Serving, "named" | "flags"> & {
    readonly cluster: Cluster;
    readonly policies: ClusterPolicies | undefined;
    readonly log: (entry: Readonly<Record<string, unknown>>) => void;
    readonly io: Pick<Io, "now">;
  },
): void {
  const { cluster, policies, named: service, log, io } = of;
  const { gatekeeperProvider: name } = of.flags;
  if (policies) keeper.alsoDo("write the status of policies", () => writeStatuses(cluster, io, policies.reported));
  if (name === "" || service === undefined) return;
  keeper.alsoDo("keep the certificates of Gatekeeper's Provider", async () => {
    const isWritten = await keepProvider(cluster, { name, service, trusted: await keeper.trusted() });
    if (isWritten) log({ level: "info", message: `provider ${name}: certificates of the authority written` });
  });
}

/** Sends traces if the environment says where. */
function tracesOf(io: Io, log: (entry: Readonly<Record<string, unknown>>) => void): Traces | undefined {
  const target = traceTarget(io.env);
  if (typeof target === "string") log({ level: "warning", message: target });
  if (target === undefined || typeof target === "string") return undefined;
  const { url, headers, service } = target;
  const transport = createTransport(io, { limits: { attempts: 1, answer: TRACE_TIMEOUT } });
  const send = async (body: Uint8Array) => {
    const sent = { "content-type": "application/json", "content-length": String(body.length), ...headers };
    const { status } = await transport.read({ method: "POST", url, headers: sent, body }, MAX_REPLY);
    if (status >= 300) throw new TsignError("service", `send traces: status ${status}`);
  };
  return new Traces(io, { service, send });
}

interface Reloading {
  readonly policy: LivePolicy;
  readonly certificates: LiveCertificates;
  readonly service: AdmissionService;
  readonly log: (entry: Readonly<Record<string, unknown>>) => void;
  /** Milliseconds. */
  readonly interval: number;
}

/** Reads the policy and the certificates again and again until the command is stopped. What cannot be used is reported. */
async function reloadUntilStopped(io: Io, of: Reloading): Promise<void> {
  const { certificates, log, interval } = of;
  while (await sleeps(io, interval)) {
    await reloadPolicy(of);
    try {
      if (await certificates.refresh()) log({ level: "info", message: "certificate reloaded" });
    } catch (error) {
      log({ level: "error", message: `the certificate stays as it was: ${textOf(error)}` });
    }
  }
}

async function reloadPolicy({ policy, service, log }: Reloading): Promise<void> {
  try {
    const done = await policy.refresh();
    if (done === "unchanged") return;
    service.metrics.count("tsign_admission_policy_loads_total", { result: done });
    log({ level: "info", message: `policy ${done}`, digest: policy.current.policy.digest });
  } catch (error) {
    service.metrics.count("tsign_admission_policy_loads_total", { result: "failed" });
    log({ level: "error", message: `the policy stays as it was: ${textOf(error)}` });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Waits, and returns whether the command is to go on. */
async function sleeps(io: Io, milliseconds: number): Promise<boolean> {
  if (io.signal.aborted) return false;
  await io.sleep(milliseconds, io.signal).catch(() => {});
  return !io.signal.aborted;
}

function hostOf({ host }: ListenOptions): string {
  return host.includes(":") ? `[${host}]` : host;
}
