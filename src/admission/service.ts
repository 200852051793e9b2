import { TsignError } from "../errors.ts";
import { printable } from "../format/printable.ts";
import type { Io, ServerRequest, ServerResponse } from "../io/io.ts";
import type { ClusterPolicies } from "./cluster-policies.ts";
import type { Decider } from "./decider.ts";
import { provide, providerResponse, readKeys } from "./gatekeeper.ts";
import type { LivePolicy } from "./live-policy.ts";
import { Metrics } from "./metrics.ts";
import type { PullSecrets } from "./pull-secrets.ts";
import { beginningOfReview, type Review, readReview, type Unreadable } from "./review.ts";
import type { Traced, Traces } from "./traces.ts";
import { type Reviewed, refusal, review } from "./webhook.ts";
import type { Answer } from "./words.ts";
import type { Workloads } from "./workload-paths.ts";

export interface ServiceOptions {
  readonly policy: LivePolicy;
  readonly decider: Decider;
  readonly pullSecrets?: PullSecrets | undefined;
  /** The policies of the cluster's objects, which are demanded too. */
  readonly policies?: ClusterPolicies | undefined;
  /** Where custom resources name images. */
  readonly workloads?: Workloads | undefined;
  /** Leaves secrets out of a text. */
  readonly mask: (text: string) => string;
  /** Time for the answers to Gatekeeper, in milliseconds. */
  readonly providerTimeout: number;
  /** Whether requests other than those for the state need a client certificate. */
  readonly needsClient: boolean;
  /** Receives each log entry: one line of JSON. */
  readonly log: (entry: Readonly<Record<string, unknown>>) => void;
  readonly traces?: Traces | undefined;
}

/** Largest request, in bytes. The API server accepts objects of 3 MiB, and sends the old version too. */
const MAX_BODY = 8 * 1024 * 1024;
/** Most bytes that are read of a request that is too large. */
const MAX_DRAINED = 6 * MAX_BODY;
const TOO_LARGE = `read request: larger than ${MAX_BODY} bytes`;
/** The API server's default, and its limits, in milliseconds. */
const [DEFAULT_TIMEOUT, MAX_TIMEOUT] = [10_000, 30_000];
/** One of so many answers closes its connection, so that a client's load does not stay with one replica. */
const CLOSE_EVERY = 500;
const JSON_TYPE = { "content-type": "application/json" };
const TEXT_TYPE = { "content-type": "text/plain; charset=utf-8" };

/** The admission service: a handler for its paths, without a socket. */
export class AdmissionService {
  readonly #io: Pick<Io, "now" | "sleep">;
  readonly #options: ServiceOptions;
  readonly metrics = new Metrics();
  #answered = 0;
  #isDraining = false;

  constructor(io: Pick<Io, "now" | "sleep">, options: ServiceOptions) {
    this.#io = io;
    this.#options = options;
  }

  /** From now on it is not ready, and every answer closes its connection. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Answers a request. */
  async handle(request: ServerRequest): Promise<ServerResponse> {
    const started = this.#io.now().getTime();
    const { pathname = "", searchParams = new URLSearchParams() } = URL.parse(request.url, "https://localhost") ?? {};
    const answer = await this.#answer(request, pathname, searchParams);
    const closes = this.#isDraining || ++this.#answered % CLOSE_EVERY === 0;
    const known = PATHS.has(pathname) ? pathname : "other";
    this.metrics.request(known, String(answer.status), this.#io.now().getTime() - started);
    return closes ? { ...answer, headers: { ...answer.headers, connection: "close" } } : answer;
  }

  async #answer(request: ServerRequest, path: string, parameters: URLSearchParams): Promise<ServerResponse> {
    const { method, clientIsTrusted = false } = request;
    const wants = PATHS.get(path);
    if (wants === undefined) return plain(404, `no such path: ${printable(path.slice(0, 100))}`);
    if (method !== wants && !(wants === "GET" && method === "HEAD")) {
      return { ...plain(405, `${path} accepts ${wants}`), headers: { ...TEXT_TYPE, allow: wants } };
    }
    if (path === "/healthz") return plain(200, "ok");
    if (path === "/readyz") return this.#isDraining ? plain(503, "shutting down") : plain(200, "ok");
    if (this.#options.needsClient && !clientIsTrusted) return plain(401, "a client certificate is required");
    if (path === "/metrics") return this.#metricsPage();
    let body: { bytes: Uint8Array; isWhole: boolean };
    try {
      body = await readBody(request.body);
    } catch {
      return plain(400, "read request: incomplete");
    }
    const { bytes, isWhole } = body;
    const traceparent = request.headers["traceparent"];
    if (path === "/gatekeeper") return isWhole ? this.#provide(bytes, traceparent) : plain(413, TOO_LARGE);
    const within = budget(parameters.get("timeout"));
    const mutates = path === "/mutate";
    if (isWhole) return this.#review(() => readReview(bytes), { mutates, within, traceparent });
    const begun = beginningOfReview(bytes, TOO_LARGE);
    return begun ? this.#review(() => begun, { mutates, within, traceparent }) : plain(413, TOO_LARGE);
  }

  async #review(
    read: () => Review | Unreadable,
    { mutates, within, traceparent }: { mutates: boolean; within: number; traceparent: string | undefined },
  ): Promise<ServerResponse> {
    const started = this.#io.now().getTime();
    let asked: Review | Unreadable;
    try {
      asked = read();
    } catch (error) {
      if (error instanceof TsignError) return plain(400, printable(error.message));
      throw error;
    }
    const { decider, policy, pullSecrets, policies, workloads, mask } = this.#options;
    let reviewed: Reviewed;
    try {
      reviewed = await review(this.#io, asked, {
        ...{ decider, pullSecrets, policies, workloads, mask, mutates, within },
        policy: policy.current.policy,
      });
    } catch {
      // A call that fails would be let in with failurePolicy Ignore; a refusal is not.
      reviewed = { response: refusal(asked.uid, 500, "internal error"), answers: [] };
    }
    const { response, answers } = reviewed;
    const path = mutates ? "/mutate" : "/validate";
    this.#record(answers, { path, started, traceparent, allowed: response.allowed });
    this.#options.log({
      path,
      ...("fault" in asked ? { uid: asked.uid } : described(asked)),
      allowed: response.allowed,
      ...(response.status ? { code: response.status.code, message: response.status.message } : {}),
      images: answers.map(logged),
      milliseconds: this.#io.now().getTime() - started,
    });
    const document = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response };
    return { status: 200, headers: JSON_TYPE, body: JSON.stringify(document) };
  }

  async #provide(body: Uint8Array, traceparent: string | undefined): Promise<ServerResponse> {
    const { decider, policies, providerTimeout: within, mask } = this.#options;
    const started = this.#io.now().getTime();
    try {
      const keys = readKeys(body);
      const { response, answers } = await provide(this.#io, keys, { decider, policies, within, mask });
      const allowed = answers.every((each) => each.allowed);
      this.#record(answers, { path: "/gatekeeper", started, traceparent, allowed });
      const milliseconds = this.#io.now().getTime() - started;
      this.#options.log({ path: "/gatekeeper", images: answers.map(logged), milliseconds });
      return { status: 200, headers: JSON_TYPE, body: JSON.stringify(response) };
    } catch (error) {
      const known = error instanceof TsignError;
      const text = JSON.stringify(providerResponse([], known ? printable(error.message) : "internal error"));
      return { status: known ? 400 : 500, headers: JSON_TYPE, body: text };
    }
  }

  #record(answers: readonly Answer[], of: Pick<Traced, "path" | "started" | "traceparent" | "allowed">): void {
    this.#options.traces?.record({ ...of, ended: this.#io.now().getTime(), answers });
    for (const answer of answers) this.metrics.decision(answer);
  }

  #metricsPage(): ServerResponse {
    const text = this.metrics.text({
      tsign_admission_policy_generation: this.#options.policy.current.id,
      ...(this.#options.traces ? { tsign_admission_spans_dropped: this.#options.traces.dropped } : {}),
    });
    return { status: 200, headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" }, body: text };
  }
}

const PATHS = new Map([
  ["/validate", "POST"],
  ["/mutate", "POST"],
  ["/gatekeeper", "POST"],
  ["/healthz", "GET"],
  ["/readyz", "GET"],
  ["/metrics", "GET"],
]);

function plain(status: number, text: string): ServerResponse {
  return { status, headers: TEXT_TYPE, body: `${text}\n` };
}

/** The time for an answer, from the API server's `timeout` (`10s`): some of it is left for the way back. Milliseconds. */
function budget(timeout: string | null): number {
  const [, seconds] = /^(\d{1,3})s$/.exec(timeout ?? "") ?? [];
  const given = seconds === undefined ? DEFAULT_TIMEOUT : Math.min(Number(seconds) * 1000, MAX_TIMEOUT);
  return Math.max(0, given - Math.max(given / 10, 300));
}

/** Reads a body. Of one that is too large, its beginning: it is read to its end, within limits, because a client reads no answer before. */
async function readBody(body: AsyncIterable<Uint8Array>): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size <= MAX_BODY || pieces.length === 0) pieces.push(piece);
    else pieces.length = 1;
    if (size > MAX_DRAINED) break;
  }
  return { bytes: Buffer.concat(pieces), isWhole: size <= MAX_BODY };
}

function described({
  uid,
  operation,
  kind,
  subResource,
  namespace,
  name,
  user,
  dryRun,
}: Review): Record<string, unknown> {
  return { uid, operation, kind, ...(subResource === "" ? {} : { subResource }), namespace, name, user, dryRun };
}

function logged({ image, pinned, rule, reason, allowed, source, text }: Answer): Record<string, unknown> {
  return { image, pinned, rule, reason, allowed, source, ...(text === "" ? {} : { text }) };
}
