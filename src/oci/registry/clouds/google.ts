import { TsignError } from "../../../errors.ts";
import type { Io } from "../../../io/io.ts";
import { tokenOfFile } from "./google-file.ts";
import { askToken, metadataTransport, parseObject, probe, textField } from "./tokens.ts";
import type { FindInCloud } from "./types.ts";

/** The user name that goes with an access token (go-containerregistry, pkg/v1/google). */
const TOKEN_USER = "_token";
const METADATA = "169.254.169.254";
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

interface Found {
  readonly token: string;
  readonly from: string;
}

/**
 * An access token of Google's application default credentials: the file of GOOGLE_APPLICATION_CREDENTIALS, the file that
 * `gcloud auth application-default login` writes, or the machine's service account; where these have none, of gcloud's
 * own login.
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
    `GOOGLE_APPLICATION_CREDENTIALS is not set, there is no ${wellKnown}, no metadata server answers at ${host}`,
  );
}

function wellKnownFile({ env, platform }: Io): string {
  const folder = platform.os === "win32" ? env["APPDATA"] : env["HOME"] && `${env["HOME"]}/.config`;
  return `${folder ?? ""}/gcloud/application_default_credentials.json`;
}

/** Of the service account that the machine runs as; undefined when it is not one of Google's. */
async function metadataToken(io: Io): Promise<string | undefined> {
  const named = io.env["GCE_METADATA_HOST"];
  const base = URL.parse(`http://${named || METADATA}`);
  if (!base) throw new TsignError("auth", "GCE_METADATA_HOST is not a host");
  const headers = { "metadata-flavor": "Google" };
  const there = named || (await probe(io, base, headers))?.headers["metadata-flavor"] === "Google";
  if (!there) return undefined;
  const url = new URL("/computeMetadata/v1/instance/service-accounts/default/token", base);
  url.searchParams.set("scopes", SCOPE);
  return askToken(metadataTransport(io), { url, headers });
}

/** The command and the form of its answer are those that docker-credential-gcr uses. */
async function gcloudToken(io: Io, before: string): Promise<string> {
  const failed = (reason: string) => new TsignError("auth", `${before}, and ${reason}`);
  const args = ["config", "config-helper", "--force-auth-refresh", "--format=json(credential)"];
  const ran = await io.spawn("gcloud", args, { signal: io.signal }).catch((error: unknown) => {
    if (!(error instanceof TsignError) || io.signal.aborted) throw error;
    throw failed("gcloud cannot be run");
  });
  if (ran.code !== 0) throw failed("gcloud has no login (gcloud auth login makes one)");
  const { credential } = parseObject(ran.stdout, "the answer of gcloud");
  return textField((credential ?? {}) as Record<string, unknown>, "access_token", "the answer of gcloud");
}
