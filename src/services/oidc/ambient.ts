import { TsignError } from "../../errors.ts";
import { AUDIENCE } from "./audience.ts";
import {
  BUILDKITE_VARIABLES,
  GITHUB_PERMISSION,
  GITHUB_VARIABLES,
  isSet,
  missingVariables,
  noIdentity,
} from "./ci-systems.ts";
import { type AmbientIo, credential, fetchToken, MAX_TOKEN, parseAddress } from "./token-request.ts";

const TOKEN_FILE = "/var/run/sigstore/cosign/oidc-token";
const SPIFFE_SOCKET = "/tmp/spire-agent/public/api.sock";

/** A source of identity tokens that requires no login: a CI system, a cloud, a workload identity. */
export interface AmbientProvider {
  /** The name for `--oidc-provider`. */
  readonly name: string;
  /** What messages call it; `name` by default. */
  readonly source?: string;
  enabled(io: AmbientIo): Promise<boolean>;
  /** @throws TsignError */
  token(io: AmbientIo): Promise<string>;
  /** Builds the error for a provider that was selected and is not enabled: what is missing, and what provides it. */
  missing(io: AmbientIo): TsignError;
}

const unavailable = (message: string, hint: string) => new TsignError("auth", message, { hint });

const PASS_BUILDKITE_VARIABLES =
  "run tsign in a job of a Buildkite agent, and pass BUILDKITE_AGENT_ACCESS_TOKEN and BUILDKITE_JOB_ID into its container, " +
  "as the docker plugin does with `mount-buildkite-agent: true`";

const BUILDKITE_REFUSAL =
  `run \`buildkite-agent oidc request-token --audience ${AUDIENCE}\` in the job to see the reason; ` +
  "BUILDKITE_AGENT_ACCESS_TOKEN is only valid while the job runs";

/** The providers in the order they are tried, which is cosign's. */
export const AMBIENT_PROVIDERS: readonly AmbientProvider[] = [
  {
    name: "filesystem",
    source: TOKEN_FILE,
    enabled: async (io) => (await io.files.stat(TOKEN_FILE)) !== undefined,
    token: async (io) => Buffer.from(await io.files.read(TOKEN_FILE, { maxBytes: MAX_TOKEN })).toString("utf8"),
    missing: () => unavailable(`file not found: ${TOKEN_FILE}`, `mount a token with the audience "${AUDIENCE}" there`),
  },
  {
    name: "envvar",
    source: "SIGSTORE_ID_TOKEN",
    enabled: async (io) => isSet(io, "SIGSTORE_ID_TOKEN"),
    token: async (io) => io.env["SIGSTORE_ID_TOKEN"] ?? "",
    missing: (io) =>
      isSet(io, "GITLAB_CI") || isSet(io, "CIRCLECI")
        ? noIdentity(io)
        : unavailable("SIGSTORE_ID_TOKEN is not set", `set it to a token with the audience "${AUDIENCE}"`),
  },
  {
    name: "github-actions",
    enabled: async (io) => GITHUB_VARIABLES.every((name) => isSet(io, name)),
    token: githubActionsToken,
    missing: (io) =>
      missingVariables(io, "the GitHub Actions job", { needs: GITHUB_VARIABLES, hint: GITHUB_PERMISSION }),
  },
  {
    name: "buildkite-agent",
    enabled: async (io) => isSet(io, "BUILDKITE_AGENT_ACCESS_TOKEN"),
    token: buildkiteToken,
    missing: (io) =>
      missingVariables(io, "the Buildkite job", {
        needs: BUILDKITE_VARIABLES,
        hint: PASS_BUILDKITE_VARIABLES,
      }),
  },
  {
    name: "spiffe",
    enabled: async (io) => (await io.files.stat(spiffeSocket(io))) !== undefined,
    token: async (io) => (await import("./spiffe.ts")).spiffeToken(io, spiffeSocket(io), AUDIENCE),
    missing: (io) =>
      unavailable(
        `SPIFFE Workload API socket not found: ${spiffeSocket(io)}`,
        "check that the SPIRE agent runs and its socket is mounted, or set SPIFFE_ENDPOINT_SOCKET to its path",
      ),
  },
  {
    name: "google-workload-identity",
    enabled: async (io) => (await import("./google.ts")).isOnGoogleCloud(io),
    token: async (io) => (await import("./google.ts")).metadataToken(io, AUDIENCE),
    missing: () =>
      unavailable(
        "no Google Cloud metadata server: this is not a Google Cloud machine",
        "run on Google Cloud, set GCE_METADATA_HOST to a metadata server, or use --oidc-provider=google-impersonate",
      ),
  },
  {
    name: "google-impersonate",
    enabled: async (io) => isSet(io, "GOOGLE_SERVICE_ACCOUNT_NAME"),
    token: async (io) => (await import("./google.ts")).impersonatedToken(io, AUDIENCE),
    missing: () =>
      unavailable(
        "GOOGLE_SERVICE_ACCOUNT_NAME is not set",
        "set it to the e-mail address of the service account to sign as",
      ),
  },
];

/** Returns the path of the Workload API's socket. The variable may be a path or, as in SPIFFE, a `unix:` URL. */
function spiffeSocket(io: AmbientIo): string {
  return (io.env["SPIFFE_ENDPOINT_SOCKET"] || SPIFFE_SOCKET).replace(/^unix:(?:\/\/)?/, "");
}

/** Requests a token from GitHub Actions (GitHub Docs, "OpenID Connect reference"): a GET with the job's request token. */
async function githubActionsToken(io: AmbientIo): Promise<string> {
  const url = parseAddress(io.env["ACTIONS_ID_TOKEN_REQUEST_URL"] ?? "", "ACTIONS_ID_TOKEN_REQUEST_URL");
  url.searchParams.set("audience", AUDIENCE);
  const headers = { authorization: `bearer ${credential(io, "ACTIONS_ID_TOKEN_REQUEST_TOKEN")}` };
  const request = { service: "GitHub Actions", method: "GET", url, headers, field: "value" } as const;
  return fetchToken(io, { ...request, hint: GITHUB_PERMISSION });
}

/** Requests a token from the Buildkite agent's API (POST /jobs/:id/oidc/tokens). */
async function buildkiteToken(io: AmbientIo): Promise<string> {
  const base = (io.env["BUILDKITE_AGENT_ENDPOINT"] || "https://agent.buildkite.com/v3").trim();
  const job = (io.env["BUILDKITE_JOB_ID"] ?? "").trim();
  if (!/^[A-Za-z0-9-]+$/.test(job)) {
    throw new TsignError("auth", `BUILDKITE_JOB_ID is ${job === "" ? "not set" : "not the id of a job"}`, {
      hint: PASS_BUILDKITE_VARIABLES,
    });
  }
  const url = parseAddress(`${base.replace(/\/+$/, "")}/jobs/${job}/oidc/tokens`, "BUILDKITE_AGENT_ENDPOINT");
  const headers = { authorization: `Token ${credential(io, "BUILDKITE_AGENT_ACCESS_TOKEN")}` };
  const body = { audience: AUDIENCE };
  const request = { service: "the Buildkite agent", method: "POST", url, headers, body, field: "token" } as const;
  return fetchToken(io, { ...request, hint: BUILDKITE_REFUSAL });
}
