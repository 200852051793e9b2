import { TsignError } from "../../errors.ts";
import { AUDIENCE } from "./audience.ts";
import { GITHUB_PERMISSION, isSet, missing, noIdentity } from "./ci-systems.ts";
import { type AmbientIo, credential, fetchToken, MAX_TOKEN, parseAddress } from "./token-request.ts";

const TOKEN_FILE = "/var/run/sigstore/cosign/oidc-token";
const SPIFFE_SOCKET = "/tmp/spire-agent/public/api.sock";

/** Somewhere a token may lie or be had without asking anyone: a CI system, a cloud, a workload identity. */
export interface AmbientProvider {
  /** As `--oidc-provider` names it. */
  readonly name: string;
  /** Where it has the token from, for messages; its name without. */
  readonly source?: string;
  enabled(io: AmbientIo): Promise<boolean>;
  /** @throws TsignError */
  token(io: AmbientIo): Promise<string>;
  /** What to say when it was asked for by name and is not enabled: what is missing, and what brings it. */
  missing(io: AmbientIo): TsignError;
}

const notThere = (message: string, hint: string) => new TsignError("auth", message, { hint });

const GITHUB = ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
const BUILDKITE = ["BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_JOB_ID"];

/** The providers, in the order they are tried in: cosign's. */
export const AMBIENT_PROVIDERS: readonly AmbientProvider[] = [
  {
    name: "filesystem",
    source: TOKEN_FILE,
    enabled: async (io) => (await io.files.stat(TOKEN_FILE)) !== undefined,
    token: async (io) => Buffer.from(await io.files.read(TOKEN_FILE, { maxBytes: MAX_TOKEN })).toString("utf8"),
    missing: () => notThere(`there is no file ${TOKEN_FILE}`, `mount a token for the audience ${AUDIENCE} there`),
  },
  {
    name: "envvar",
    source: "SIGSTORE_ID_TOKEN",
    enabled: async (io) => isSet(io, "SIGSTORE_ID_TOKEN"),
    token: async (io) => io.env["SIGSTORE_ID_TOKEN"] ?? "",
    missing: (io) =>
      isSet(io, "GITLAB_CI") || isSet(io, "CIRCLECI")
        ? noIdentity(io)
        : notThere("SIGSTORE_ID_TOKEN is not set", `set it to a token for the audience ${AUDIENCE}`),
  },
  {
    name: "github-actions",
    enabled: async (io) => GITHUB.every((name) => isSet(io, name)),
    token: githubActionsToken,
    missing: (io) => missing(io, "the GitHub Actions job", { needs: GITHUB, hint: GITHUB_PERMISSION }),
  },
  {
    name: "buildkite-agent",
    enabled: async (io) => isSet(io, "BUILDKITE_AGENT_ACCESS_TOKEN"),
    token: buildkiteToken,
    missing: (io) =>
      missing(io, "the Buildkite job", {
        needs: BUILDKITE,
        hint: "run in a job of a Buildkite agent, which sets them",
      }),
  },
  {
    name: "spiffe",
    enabled: async (io) => (await io.files.stat(spiffeSocket(io))) !== undefined,
    token: async (io) => (await import("./spiffe.ts")).spiffeToken(io, spiffeSocket(io), AUDIENCE),
    missing: (io) =>
      notThere(
        `there is no socket of the SPIFFE Workload API at ${spiffeSocket(io)}`,
        "SPIFFE_ENDPOINT_SOCKET names another place; is the SPIRE agent running, and its socket mounted?",
      ),
  },
  {
    name: "google-workload-identity",
    enabled: async (io) => (await import("./google.ts")).isOnGoogleCloud(io),
    token: async (io) => (await import("./google.ts")).metadataToken(io, AUDIENCE),
    missing: () =>
      notThere(
        "this is not a machine of Google Cloud",
        "GCE_METADATA_HOST names a metadata server; --oidc-provider=google-impersonate works elsewhere",
      ),
  },
  {
    name: "google-impersonate",
    enabled: async (io) => isSet(io, "GOOGLE_SERVICE_ACCOUNT_NAME"),
    token: async (io) => (await import("./google.ts")).impersonatedToken(io, AUDIENCE),
    missing: () =>
      notThere("GOOGLE_SERVICE_ACCOUNT_NAME is not set", "set it to the e-mail of the service account to sign as"),
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
  const headers = { authorization: `bearer ${credential(io, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")}` };
  const asked = { service: "GitHub Actions", method: "GET", url, headers, field: "value" } as const;
  return fetchToken(io, { ...asked, hint: GITHUB_PERMISSION });
}

/** The Buildkite agent's API, POST /jobs/:id/oidc/tokens. */
async function buildkiteToken(io: AmbientIo): Promise<string> {
  const base = (io.env["BUILDKITE_AGENT_ENDPOINT"] || "https://agent.buildkite.com/v3").trim();
  const job = (io.env["BUILDKITE_JOB_ID"] ?? "").trim();
  if (!/^[A-Za-z0-9-]+$/.test(job)) {
    throw new TsignError("auth", `BUILDKITE_JOB_ID ${job === "" ? "is not set" : "does not name a job"}`, {
      hint: "the Buildkite agent sets it in the environment of a job: is it passed on, into a container for example?",
    });
  }
  const url = parseAddress(`${base.replace(/\/+$/, "")}/jobs/${job}/oidc/tokens`, "BUILDKITE_AGENT_ENDPOINT");
  const headers = { authorization: `Token ${credential(io, "BUILDKITE_AGENT_ACCESS_TOKEN")}` };
  const body = { audience: AUDIENCE };
  return fetchToken(io, { service: "the Buildkite agent", method: "POST", url, headers, body, field: "token" });
}
