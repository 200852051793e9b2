import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { createTransport } from "../../http.ts";
import type { TransportIo } from "../../http-retry.ts";
import type { Io } from "../../io.ts";

export type AmbientIo = TransportIo & Pick<Io, "files" | "unixCall" | "platform">;

/** What tokens are for: Fulcio's audience. */
export const AUDIENCE = "sigstore";
const TOKEN_FILE = "/var/run/sigstore/cosign/oidc-token";
const SPIFFE_SOCKET = "/tmp/spire-agent/public/api.sock";
const MAX_TOKEN = 1024 * 1024;

/** Somewhere a token may lie or be had without asking anyone: a CI system, a cloud, a workload identity. */
export interface AmbientProvider {
  /** As `--oidc-provider` names it. */
  readonly name: string;
  enabled(io: AmbientIo): Promise<boolean>;
  /** @throws TsignError */
  token(io: AmbientIo): Promise<string>;
}

const set = (io: AmbientIo, name: string) => (io.env[name] ?? "") !== "";

/** The providers, in the order they are tried in: cosign's. */
export const AMBIENT_PROVIDERS: readonly AmbientProvider[] = [
  {
    name: "filesystem",
    enabled: async (io) => (await io.files.stat(TOKEN_FILE)) !== undefined,
    token: async (io) => Buffer.from(await io.files.read(TOKEN_FILE, { maxBytes: MAX_TOKEN })).toString("utf8"),
  },
  {
    name: "envvar",
    enabled: async (io) => set(io, "SIGSTORE_ID_TOKEN"),
    token: async (io) => io.env["SIGSTORE_ID_TOKEN"] ?? "",
  },
  {
    name: "github-actions",
    enabled: async (io) => set(io, "ACTIONS_ID_TOKEN_REQUEST_TOKEN") && set(io, "ACTIONS_ID_TOKEN_REQUEST_URL"),
    token: githubActionsToken,
  },
  {
    name: "buildkite-agent",
    enabled: async (io) => set(io, "BUILDKITE_AGENT_ACCESS_TOKEN"),
    token: buildkiteToken,
  },
  {
    name: "spiffe",
    enabled: async (io) => (await io.files.stat(spiffeSocket(io))) !== undefined,
    token: async (io) => (await import("./spiffe.ts")).spiffeToken(io, spiffeSocket(io), AUDIENCE),
  },
  {
    name: "google-workload-identity",
    enabled: async (io) => (await import("./google.ts")).isOnGoogleCloud(io),
    token: async (io) => (await import("./google.ts")).metadataToken(io, AUDIENCE),
  },
  {
    name: "google-impersonate",
    enabled: async (io) => set(io, "GOOGLE_SERVICE_ACCOUNT_NAME"),
    token: async (io) => (await import("./google.ts")).impersonatedToken(io, AUDIENCE),
  },
];

/** The Workload API's socket; SPIFFE's own `unix:` form of the variable is understood besides a bare path. */
function spiffeSocket(io: AmbientIo): string {
  return (io.env["SPIFFE_ENDPOINT_SOCKET"] || SPIFFE_SOCKET).replace(/^unix:(?:\/\/)?/, "");
}

/** GitHub Actions, "Updating your actions for OIDC": a GET that the job's own token authorizes. */
async function githubActionsToken(io: AmbientIo): Promise<string> {
  const url = parseAddress(io.env["ACTIONS_ID_TOKEN_REQUEST_URL"] ?? "", "ACTIONS_ID_TOKEN_REQUEST_URL");
  url.searchParams.set("audience", AUDIENCE);
  const headers = { authorization: `bearer ${io.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]}` };
  return fetchToken(io, { service: "GitHub Actions", method: "GET", url, headers, field: "value" });
}

/** The Buildkite agent's API, POST /jobs/:id/oidc/tokens. */
async function buildkiteToken(io: AmbientIo): Promise<string> {
  const base = io.env["BUILDKITE_AGENT_ENDPOINT"] || "https://agent.buildkite.com/v3";
  const job = io.env["BUILDKITE_JOB_ID"] ?? "";
  if (!/^[A-Za-z0-9-]+$/.test(job)) throw new TsignError("auth", "BUILDKITE_JOB_ID does not name a job");
  const url = parseAddress(`${base.replace(/\/+$/, "")}/jobs/${job}/oidc/tokens`, "BUILDKITE_AGENT_ENDPOINT");
  const headers = { authorization: `Token ${io.env["BUILDKITE_AGENT_ACCESS_TOKEN"]}` };
  const body = { audience: AUDIENCE };
  return fetchToken(io, { service: "the Buildkite agent", method: "POST", url, headers, body, field: "token" });
}

/**
 * Asks a service for a token and takes it out of its JSON answer. Neither the request's secrets nor the answer are quoted.
 *
 * @throws TsignError
 */
export async function fetchToken(
  io: TransportIo,
  by: {
    service: string;
    method: "GET" | "POST";
    url: URL;
    headers: Readonly<Record<string, string>>;
    body?: unknown;
    /** Where in the JSON it is; undefined when the answer is the token. */
    field: string | undefined;
  },
): Promise<string> {
  const body = by.body === undefined ? undefined : Buffer.from(JSON.stringify(by.body));
  const sent = body ? { "content-type": "application/json", "content-length": String(body.length) } : {};
  const answer = await createTransport(io, { limits: { attempts: 3 } }).read(
    { method: by.method, url: by.url, headers: { ...by.headers, ...sent }, ...(body ? { body } : {}) },
    { maxBytes: MAX_TOKEN },
  );
  if (answer.status !== 200 && answer.status !== 201) {
    throw new TsignError("auth", `${by.service} answered ${answer.status} when asked for an identity token`);
  }
  const text = Buffer.from(answer.bytes).toString("utf8").trim();
  if (by.field === undefined) return text;
  const json = parseJson(answer.bytes, `the answer of ${by.service}`);
  const token = isObject(json) ? json[by.field] : undefined;
  if (typeof token !== "string") throw new TsignError("auth", `${by.service} answered without an identity token`);
  return token;
}

/** @throws TsignError "auth" naming the variable */
export function parseAddress(text: string, variable: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  throw new TsignError("auth", `${variable} is not an http(s) URL`);
}
