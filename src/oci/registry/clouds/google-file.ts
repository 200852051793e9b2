import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import * as z from "zod/mini";
import { TsignError } from "../../../errors.ts";
import type { Io } from "../../../io/io.ts";
import { askText, askToken, metadataTransport, parseObject, secretUrl, textField, tokenTransport } from "./tokens.ts";

const MAX_FILE = 1024 * 1024;
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URL = "https://oauth2.googleapis.com/token";
const HOUR = 3600;

const optional = z.optional(z.string());
const serviceAccount = z.object({
  type: z.literal("service_account"),
  client_email: z.string(),
  private_key: z.string(),
  private_key_id: optional,
  token_uri: optional,
});
const authorizedUser = z.object({
  type: z.literal("authorized_user"),
  client_id: z.string(),
  client_secret: z.string(),
  refresh_token: z.string(),
  token_uri: optional,
});
const workforceUser = z.object({
  type: z.literal("external_account_authorized_user"),
  client_id: z.string(),
  client_secret: z.string(),
  refresh_token: z.string(),
  token_url: z.string(),
});
const externalAccount = z.object({
  type: z.literal("external_account"),
  audience: z.string(),
  subject_token_type: z.string(),
  token_url: z._default(z.string(), "https://sts.googleapis.com/v1/token"),
  client_id: optional,
  client_secret: optional,
  workforce_pool_user_project: optional,
  service_account_impersonation_url: optional,
  service_account_impersonation: z.optional(z.object({ token_lifetime_seconds: z.optional(z.number()) })),
  credential_source: z.object({
    file: optional,
    url: optional,
    headers: z.optional(z.record(z.string(), z.string())),
    format: z.optional(z.object({ type: optional, subject_token_field_name: optional })),
  }),
});
const impersonated = z.object({
  type: z.literal("impersonated_service_account"),
  service_account_impersonation_url: z.string(),
  delegates: z.optional(z.array(z.string())),
  source_credentials: z.unknown(),
});
const credentialsFile = z.discriminatedUnion("type", [
  serviceAccount,
  authorizedUser,
  workforceUser,
  externalAccount,
  impersonated,
]);

/**
 * Gets an access token with a Google credentials file: for a service account, a user's login, an identity of another provider
 * (AIP-4117), or one of these acting as a service account.
 *
 * @throws TsignError whose message names the file and never shows its content
 */
export async function tokenOfFile(io: Io, path: string): Promise<string> {
  const text = Buffer.from(await io.files.read(path, { maxBytes: MAX_FILE })).toString("utf8");
  try {
    return await tokenOf(io, parseObject(text, "content"));
  } catch (error) {
    if (!(error instanceof TsignError) || io.signal.aborted) throw error;
    throw new TsignError("auth", `use ${path}: ${error.message}`);
  }
}

async function tokenOf(io: Io, value: unknown): Promise<string> {
  const parsed = credentialsFile.safeParse(value);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".") || "type";
    throw new TsignError("auth", `missing or unsupported ${field}`);
  }
  const { data } = parsed;
  switch (data.type) {
    case "service_account":
      return serviceAccountToken(io, data);
    case "authorized_user":
    case "external_account_authorized_user":
      return refreshedToken(io, data);
    case "external_account":
      return externalToken(io, data);
    case "impersonated_service_account": {
      const token = await tokenOf(io, data.source_credentials);
      const { service_account_impersonation_url: url, delegates } = data;
      return actAs(io, { url, token, lifetime: HOUR, delegates });
    }
  }
}

/** Exchanges a signed assertion for a token (RFC 7523 §2.1). */
async function serviceAccountToken(io: Io, account: z.infer<typeof serviceAccount>): Promise<string> {
  const audience = account.token_uri || TOKEN_URL;
  const url = secretUrl(audience, "token_uri");
  const issued = Math.floor(io.now().getTime() / 1000) - 10;
  const claims = { iss: account.client_email, scope: SCOPE, aud: audience, iat: issued, exp: issued + HOUR };
  const header = { alg: "RS256", typ: "JWT", ...(account.private_key_id ? { kid: account.private_key_id } : {}) };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  let key: KeyObject;
  try {
    key = createPrivateKey(account.private_key);
  } catch {
    throw new TsignError("auth", "invalid private_key");
  }
  if (key.asymmetricKeyType !== "rsa") throw new TsignError("auth", "private_key is not an RSA key");
  const assertion = `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
  const form = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
  return askToken(tokenTransport(io), { url, form });
}

async function refreshedToken(
  io: Io,
  user: z.infer<typeof authorizedUser> | z.infer<typeof workforceUser>,
): Promise<string> {
  const { client_id, client_secret, refresh_token } = user;
  const form = { grant_type: "refresh_token", refresh_token };
  if (user.type === "authorized_user") {
    const url = secretUrl(user.token_uri || TOKEN_URL, "token_uri");
    return askToken(tokenTransport(io), { url, form: { ...form, client_id, client_secret } });
  }
  const url = secretUrl(user.token_url, "token_url");
  return askToken(tokenTransport(io), { url, form, headers: basicHeaders(client_id, client_secret) });
}

/** Exchanges another provider's token for one of Google's (RFC 8693). */
async function externalToken(io: Io, account: z.infer<typeof externalAccount>): Promise<string> {
  const { client_id, client_secret, workforce_pool_user_project: project } = account;
  const url = secretUrl(account.token_url, "token_url");
  const form = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    audience: account.audience,
    scope: SCOPE,
    requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
    subject_token: await subjectToken(io, account.credential_source),
    subject_token_type: account.subject_token_type,
    ...(project && !client_id ? { options: JSON.stringify({ userProject: project }) } : {}),
  };
  const headers = client_id ? basicHeaders(client_id, client_secret ?? "") : {};
  const token = await askToken(tokenTransport(io), { url, form, headers });
  const actor = account.service_account_impersonation_url;
  const lifetime = account.service_account_impersonation?.token_lifetime_seconds ?? HOUR;
  return actor ? actAs(io, { url: actor, token, lifetime }) : token;
}

/** Reads the other provider's token from a file or, for workloads on GitHub and Azure, from a URL. */
async function subjectToken(io: Io, source: z.infer<typeof externalAccount>["credential_source"]): Promise<string> {
  const { file, url, headers = {}, format } = source;
  let text: string;
  if (file) text = Buffer.from(await io.files.read(file, { maxBytes: MAX_FILE })).toString("utf8");
  else if (url) {
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const at = secretUrl(url, "credential_source.url", { machine: true });
    const transport = at.protocol === "http:" ? metadataTransport(io) : tokenTransport(io);
    text = await askText(transport, { url: at, headers: lower });
  } else throw new TsignError("auth", "credential_source has neither a file nor a url");
  if (format?.type !== "json") return text;
  const where = "content of credential_source";
  return textField(parseObject(text, where), format.subject_token_field_name ?? "", where);
}

/** Gets a token of a service account with a token that may impersonate it (IAM, generateAccessToken). */
async function actAs(
  io: Io,
  account: { url: string; token: string; lifetime: number; delegates?: readonly string[] | undefined },
): Promise<string> {
  const { token, lifetime, delegates } = account;
  const url = secretUrl(account.url, "service_account_impersonation_url");
  const json = { lifetime: `${lifetime}s`, scope: [SCOPE], ...(delegates ? { delegates } : {}) };
  const headers = { authorization: `Bearer ${token}` };
  return askToken(tokenTransport(io), { url, json, headers }, "accessToken");
}

/** Returns Basic credentials, whose parts are form-encoded first (RFC 6749 §2.3.1). */
function basicHeaders(id: string, secret: string): Record<string, string> {
  const pair = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}
