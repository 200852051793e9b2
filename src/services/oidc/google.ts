import { createPrivateKey, sign } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import type { TransportIo } from "../../net/retry.ts";
import { type AmbientIo, fetchToken, parseAddress } from "./token-request.ts";

const METADATA_HOST = "169.254.169.254";
const PRODUCT_NAME = "/sys/class/dmi/id/product_name";
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const IAM = "https://iamcredentials.googleapis.com";
const MAX_FILE = 64 * 1024;
const ATTACH_ACCOUNT =
  "attach a service account to this machine or build, or set GOOGLE_SERVICE_ACCOUNT_NAME to the account to sign as";

/** Whether this is a Google Cloud machine, by GCE_METADATA_HOST or the product name of its hardware. Sends no request. */
export async function isOnGoogleCloud(io: Pick<Io, "env" | "files">): Promise<boolean> {
  if (io.env["GCE_METADATA_HOST"]) return true;
  if (!(await io.files.stat(PRODUCT_NAME))) return false;
  const name = Buffer.from(await io.files.read(PRODUCT_NAME, { maxBytes: MAX_FILE })).toString("utf8");
  return /^Google( Compute Engine)?$/.test(name.trim());
}

function metadataUrl(io: Pick<Io, "env">, path: string): URL {
  const host = io.env["GCE_METADATA_HOST"] || METADATA_HOST;
  const url = parseAddress(`http://${host}/computeMetadata/v1/instance/service-accounts/default/`, "GCE_METADATA_HOST");
  return new URL(path, url);
}

/** Gets the identity token of the machine's service account from the metadata server. Throws as `fetchToken`. */
export function metadataToken(io: TransportIo, audience: string): Promise<string> {
  const url = metadataUrl(io, `identity?audience=${encodeURIComponent(audience)}&format=full`);
  const headers = { "metadata-flavor": "Google" };
  const request = { service: "Google's metadata server", method: "GET", url, headers, field: undefined } as const;
  return fetchToken(io, { ...request, hint: ATTACH_ACCOUNT });
}

/** Gets the identity token of GOOGLE_SERVICE_ACCOUNT_NAME with generateIdToken of IAM Credentials. Throws as `fetchToken`. */
export async function impersonatedToken(io: AmbientIo, audience: string): Promise<string> {
  const account = io.env["GOOGLE_SERVICE_ACCOUNT_NAME"] ?? "";
  if (!/^[A-Za-z0-9@._-]+$/.test(account)) {
    throw new TsignError("auth", "GOOGLE_SERVICE_ACCOUNT_NAME is not the e-mail address of a service account", {
      hint: "set it to an address such as signer@PROJECT.iam.gserviceaccount.com",
    });
  }
  const access = await accessToken(io);
  const url = new URL(`${IAM}/v1/projects/-/serviceAccounts/${account}:generateIdToken`);
  const headers = { authorization: `Bearer ${access}` };
  const body = { audience, includeEmail: true };
  const request = { service: "Google's IAM", method: "POST", url, headers, body, field: "token" } as const;
  const hint = `grant the caller roles/iam.serviceAccountOpenIdTokenCreator on ${account}, and enable iamcredentials.googleapis.com`;
  return fetchToken(io, { ...request, hint });
}

/** Gets an access token from the application default credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, the metadata server. */
async function accessToken(io: AmbientIo): Promise<string> {
  const configured = io.env["GOOGLE_APPLICATION_CREDENTIALS"];
  const path = configured || `${io.env["HOME"] ?? ""}/.config/gcloud/application_default_credentials.json`;
  if (configured || (await io.files.stat(path))) return credentialsToken(io, path);
  if (!(await isOnGoogleCloud(io))) {
    throw new TsignError("auth", "missing Google credentials", {
      hint: "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a credentials file",
    });
  }
  const headers = { "metadata-flavor": "Google" };
  const url = metadataUrl(io, "token");
  const request = { service: "Google's metadata server", method: "GET", url, headers, field: "access_token" } as const;
  return fetchToken(io, { ...request, hint: ATTACH_ACCOUNT });
}

async function credentialsToken(io: AmbientIo, path: string): Promise<string> {
  const json = parseJson(await io.files.read(path, { maxBytes: MAX_FILE }), path);
  const field = (name: string): string => {
    const value = isObject(json) ? json[name] : undefined;
    if (typeof value !== "string") throw new TsignError("auth", `read Google credentials "${path}": missing ${name}`);
    return value;
  };
  const type = field("type");
  if (type === "service_account") {
    const url = parseAddress(field("token_uri"), path);
    const assertion = signAssertion(io, { account: field("client_email"), key: field("private_key"), url, path });
    const grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    return tokenOf(io, url, { grant_type: grant, assertion });
  }
  if (type !== "authorized_user") {
    throw new TsignError("auth", `read Google credentials "${path}": unsupported type: ${type}`, {
      hint: "use credentials of the type service_account or authorized_user",
    });
  }
  return tokenOf(io, new URL("https://oauth2.googleapis.com/token"), {
    grant_type: "refresh_token",
    client_id: field("client_id"),
    client_secret: field("client_secret"),
    refresh_token: field("refresh_token"),
  });
}

function tokenOf(io: TransportIo, url: URL, body: Record<string, string>): Promise<string> {
  const service = "Google's token endpoint";
  const hint = "log in again with `gcloud auth application-default login`, or use valid credentials";
  return fetchToken(io, { service, method: "POST", url, headers: {}, body, field: "access_token", hint });
}

/** Returns the JWT of RFC 7523 §2.1, signed with RS256. */
function signAssertion(io: Pick<Io, "now">, issuer: { account: string; key: string; url: URL; path: string }): string {
  const issued = Math.floor(io.now().getTime() / 1000);
  const claims = { iss: issuer.account, scope: SCOPE, aud: issuer.url.href, iat: issued, exp: issued + 3600 };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(claims)}`;
  try {
    return `${signed}.${sign("sha256", Buffer.from(signed), createPrivateKey(issuer.key)).toString("base64url")}`;
  } catch {
    throw new TsignError("auth", `read Google credentials "${issuer.path}": unusable private key`);
  }
}
