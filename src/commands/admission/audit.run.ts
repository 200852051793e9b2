import { type Audited, auditImages, unlistedAnswer } from "../../admission/audit.ts";
import { Decider } from "../../admission/decider.ts";
import { findCluster } from "../../admission/kubeconfig.ts";
import { LivePolicy } from "../../admission/live-policy.ts";
import { recordOf, reportOf, stateOf, wordOf } from "../../admission/report.ts";
import { type ClusterList, type RunningImage, readRunning } from "../../admission/running.ts";
import type { Answer } from "../../admission/words.ts";
import { registryOptions } from "../../cli/flags/registry.ts";
import { STRICT_EXIT_CODES } from "../../cli/flags/reporting.ts";
import { requireOneRegistry } from "../../cli/options/sent-credentials.ts";
import { readPolicyFile, requirePolicyFile } from "../../cli/options/trust-policy.ts";
import type { Invocation, Run } from "../../cli/parser/define.ts";
import { countOf } from "../../cli/print/stored.ts";
import { requireReportFormats, writeReports } from "../../cli/reports/write.ts";
import { TsignError, withExitCode } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { printable } from "../../format/printable.ts";
import { IMAGE_STATES } from "../../images/batch.ts";
import type { Io } from "../../io/io.ts";
import { createTransport } from "../../net/http.ts";
import { decideOptions } from "../../trust-policy/decide.ts";
import type definition from "./audit.ts";

type AuditFlags = Invocation<(typeof definition)["flags"]>["flags"];

/** Largest answer of the API server, in bytes: a page of Pods. An object may have 3 MiB, most have 10 kB. */
const MAX_LIST = { maxBytes: 64 * 1024 * 1024 };
const MAX_VALUES = 5_000_000;
/** Most places that are printed for an image. */
const MAX_PLACES = 3;

export const run: Run<typeof definition> = async (io, { flags, answer }) => {
  const file = requirePolicyFile(io, flags);
  requireReportFormats(io, flags.report);
  const policy = await LivePolicy.open(io, {
    read: () => readPolicyFile(io, file),
    registry: registryOptions(flags),
    warn: (text) => io.stderr.write(`WARNING: ${text}\n`),
  });
  const { images, pods, ended, unlisted } = await readAll(io, flags);
  // Whoever may create Pods names the registries.
  requireOneRegistry(
    images.map(({ image }) => image),
    { path: "Pods", flags },
  );
  const options = decideOptions(io.env);
  const decider = new Decider(io, { current: () => policy.current, options });
  const audited = await auditImages(io, images, { decider, policy: policy.current.policy });
  io.signal.throwIfAborted();
  for (const each of audited) print(io, each);
  const masked = answer({
    images: audited.map((each) => recordOf(each.answer, each.places)),
    ...{ pods, ended },
    unlisted: unlisted.map(({ namespace, error }) => ({ namespace, reason: error.message })),
  });
  const answers = [
    ...audited.map((each) => each.answer),
    ...unlisted.map(({ namespace, error }) => unlistedAnswer(namespace, error.message)),
  ];
  const failure = failureOf(answers, { unlisted, pods, flags });
  if (flags.report.length > 0) {
    const texts = [
      ...masked.images.map(({ message }) => message ?? ""),
      ...masked.unlisted.map(({ reason }) => reason),
    ];
    await writeReports(io, reportOf(answers, texts), { files: flags.report, failed: failure !== undefined });
  }
  const left = ended === 0 ? "" : `; ${ended} that ${ended === 1 ? "has" : "have"} ended left out`;
  io.stderr.write(`${countOf(audited.length, "image")} in ${countOf(pods, "Pod")}${left}\n`);
  if (failure) throw failure;
  return masked;
};

interface Unlisted {
  readonly namespace: string;
  readonly error: TsignError;
}

/** The images of all namespaces that were asked for. One that cannot be listed does not hide the others. */
async function readAll(io: Io, flags: AuditFlags) {
  const cluster = await openCluster(io, flags);
  const namespaces = flags.namespace.length === 0 ? [""] : [...new Set(flags.namespace)];
  const images = new Map<string, RunningImage & { readonly places: string[] }>();
  const unlisted: Unlisted[] = [];
  let [pods, ended] = [0, 0];
  for (const namespace of namespaces) {
    try {
      const found = await readRunning(cluster, { namespace, selector: flags.selector });
      pods += found.pods;
      ended += found.ended;
      for (const each of found.images) {
        const key = JSON.stringify([each.image, each.digest, each.unknown]);
        const known = images.get(key);
        if (known) known.places.push(...each.places);
        else images.set(key, { ...each, places: [...each.places] });
      }
    } catch (error) {
      io.signal.throwIfAborted();
      if (!(error instanceof TsignError) || error.code === "internal") throw error;
      unlisted.push({ namespace, error });
      io.stderr.write(`${error.message}\n`, { always: true });
    }
  }
  return { images: [...images.values()], pods, ended, unlisted };
}

async function openCluster(io: Io, { kubeconfig, context }: AuditFlags): Promise<ClusterList> {
  const { server, authorization, tls } = await findCluster(io, { file: kubeconfig, context });
  const transport = createTransport(io, { tls, peer: { service: "k8s", name: "Kubernetes" } });
  const headers = { accept: "application/json", ...(authorization === undefined ? {} : { authorization }) };
  const base = server.href.replace(/\/+$/, "");
  return {
    async get(path) {
      const url = new URL(`${base}${path}`);
      const { status, bytes } = await transport.read({ method: "GET", url, headers }, MAX_LIST);
      const body = parsed(bytes);
      if (status === 200 && body === undefined) {
        throw new TsignError("service", `read ${url.pathname} of Kubernetes: not a JSON object`);
      }
      return { status, body: body ?? {} };
    },
  };
}

function parsed(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value = parseJson(bytes, "Kubernetes", { most: MAX_VALUES });
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function print(io: Io, { answer, places }: Audited): void {
  const { image, pinned, ok, allowed, text, effect } = answer;
  const digest = pinned === undefined ? "" : pinned.slice(pinned.lastIndexOf("@"));
  const name = image.includes("@") ? (pinned ?? image) : `${image}${digest}`;
  const more = places.length - MAX_PLACES;
  const listed = places.slice(0, MAX_PLACES).map(printable).join(", ");
  io.stdout.write(`${wordOf(answer).padEnd(10)}${printable(name)} (${listed}${more > 0 ? ` and ${more} more` : ""})\n`);
  if (!ok) io.stderr.write(`${allowed && effect === "warn" ? "WARNING: " : ""}${text}\n`, { always: !allowed });
}

/** The error of the command: what is refused comes before what could not be looked at. */
function failureOf(
  answers: readonly Answer[],
  { unlisted, pods, flags }: { unlisted: readonly Unlisted[]; pods: number; flags: AuditFlags },
): TsignError | undefined {
  const refused = answers.filter(({ allowed }) => !allowed);
  const [first] = unlisted;
  if (refused.length === 0) {
    if (pods > 0) return undefined;
    return new TsignError("input", "audit the cluster: there are no Pods", {
      hint: "check --namespace, --selector and --context",
    });
  }
  const states = new Set(refused.map(stateOf));
  const worst = IMAGE_STATES.find((state) => states.has(state)) ?? "unchecked";
  const images = refused.length - unlisted.length;
  const total = answers.length - unlisted.length;
  const error =
    images === 0 && first
      ? new TsignError(first.error.code, `audit the cluster: ${first.error.message}`, hintOf(first.error))
      : new TsignError(
          worst === "unchecked" ? "registry" : "policy",
          `audit the cluster: ${images} of ${countOf(total, "image")} ${images === 1 ? "is" : "are"} not accepted`,
        );
  if (flags.exitCodes !== "strict" || worst === "verified") return error;
  return withExitCode(error, STRICT_EXIT_CODES[worst]) as TsignError;
}

function hintOf({ hint }: TsignError) {
  return hint === undefined ? {} : { hint };
}
