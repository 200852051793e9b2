import { TsignError } from "../../../errors.ts";
import type { Io } from "../../../io/io.ts";
import { tokenOfFile } from "./google-file.ts";
import { askToken, metadataTransport, parseObject, probe, textField } from "./tokens.ts";
import type { FindInCloud } from "./types.ts";

/** User name for an access token (go-containerregistry, pkg/v1/google). */
const TOKEN_USER = "_token";
const METADATA = "169.254.169.254";
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

interface Found {
  readonly token: string;
  readonly from: string;
}

/**
 * Gets an access token from Google's application default credentials: the file in GOOGLE_APPLICATION_CREDENTIALS, the file of
 * `gcloud auth application-default login`, or the machine's service account; else from gcloud's own login.
 */
export const findInGoogle: FindInCloud = async (io) => {
  const { token, from } = await defaultCredentials(io).catch(async (error: unknown) => {
    if (!(error instanceof TsignError) || io.signal.aborted) throw error;
    return { token: await gcloudToken(io, error.message), from: "gcloud" };
  });
  return { credentials: { kind: "password", username: TOKEN_USER, password: token }, from };
};

async function defaultCredentials(io: Io): Promise<Found> {
  const named = io.env["GOOGLE_APPLICATION_CREDENTIALS"];
  if (named) return { token: await tokenOfFile(io, named), from: `GOOGLE_APPLICATION_CREDENTIALS (${named})` };
  const wellKnown = wellKnownFile(io);
  if (await io.files.stat(wellKnown)) return { token: await tokenOfFile(io, wellKnown), from: wellKnown };
  const token = await metadataToken(io);
  if (token !== undefined) return { token, from: "the metadata server" };
  const host = io.env["GCE_METADATA_HOST"] || METADATA;
  throw new TsignError(
    "auth",
    `GOOGLE_APPLICATION_CREDENTIALS is not set, ${wellKnown} does not exist, no metadata server at ${host}`,
  );
}

function wellKnownFile({ env, platform }: Io): string {
  const folder = platform.os === "win32" ? env["APPDATA"] : env["HOME"] && `${env["HOME"]}/.config`;
  return `${folder ?? ""}/gcloud/application_default_credentials.json`;
}

/** Returns a token of the machine's service account; undefined when the machine is not in Google Cloud. */
async function metadataToken(io: Io): Promise<string | undefined> {
  const named = io.env["GCE_METADATA_HOST"];
  const base = URL.parse(`http://${named || METADATA}`);
  if (!base) throw new TsignError("auth", "GCE_METADATA_HOST is not a valid host");
  const headers = { "metadata-flavor": "Google" };
  const there = named || (await probe(io, base, headers))?.headers["metadata-flavor"] === "Google";
  if (!there) return undefined;
  const url = new URL("/computeMetadata/v1/instance/service-accounts/default/token", base);
  url.searchParams.set("scopes", SCOPE);
  return askToken(metadataTransport(io), { url, headers });
}

/** Gets a token from gcloud with the command that docker-credential-gcr runs. */
async function gcloudToken(io: Io, before: string): Promise<string> {
  const failed = (reason: string) => new TsignError("auth", `${before}, and ${reason}`);
  const args = ["config", "config-helper", "--force-auth-refresh", "--format=json(credential)"];
  const ran = await io.spawn("gcloud", args, { signal: io.signal }).catch((error: unknown) => {
    if (!(error instanceof TsignError) || io.signal.aborted) throw error;
    throw failed("gcloud cannot be run");
  });
  if (ran.code !== 0) throw failed("gcloud is not logged in (run `gcloud auth login`)");
  const { credential } = parseObject(ran.stdout, "output of gcloud");
  return textField((credential ?? {}) as Record<string, unknown>, "access_token", "output of gcloud");
}
