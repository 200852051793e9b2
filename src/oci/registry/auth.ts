import { TsignError } from "../../errors.ts";
import type { TlsOptions } from "../../io/io.ts";
import { createTransport, type Exchange, type Transport } from "../../net/http.ts";
import { isLoopback, isPrivateAddress } from "../../net/proxy.ts";
import type { TransportIo } from "../../net/retry.ts";
import type { Repository } from "../ref.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./keychain.ts";
import { REGISTRY } from "./peer.ts";
import type { ProtocolAnswer } from "./protocol.ts";

/** An Authorization header and how long it is valid. */
export interface Authorization {
  readonly header: string;
  /** Milliseconds since 1970; undefined when it does not expire. */
  readonly expires: number | undefined;
}

/** Lifetime of a token without `expires_in`, in milliseconds (distribution spec, "Token Authentication"). */
const DEFAULT_LIFETIME = 60_000;
/** A token is renewed this long before it expires. Milliseconds. */
const MARGIN = 5_000;
const MAX_TOKEN_ANSWER = 1024 * 1024;
const INVALID_REALM = "the token realm is not a valid URL";
const UNSUPPORTED_SCHEME = "the registry requires an authentication scheme that tsign does not support";

export interface AuthenticateOptions {
  readonly io: TransportIo;
  /** TLS options of the registry. */
  readonly tls: TlsOptions;
  readonly repository: Repository;
  readonly credentials: Credentials;
  /** The WWW-Authenticate header. */
  readonly challenge: string;
  /** The registry's own origin. */
  readonly origin: URL;
  /** Scopes of the token, separated by spaces. */
  readonly scope: string;
  readonly now: number;
}

/**
 * Answers a registry's challenge: Basic with the password, Bearer with a token fetched from the realm the registry named.
 *
 * @throws TsignError "auth"
 */
export async function authenticate(options: AuthenticateOptions): Promise<Authorization> {
  const { credentials, repository } = options;
  if (credentials.kind === "bearer") return { header: `Bearer ${credentials.token}`, expires: undefined };
  const { challengeResponse, RepositoryClient } = await import("./protocol.ts");
  const offered = parseChallenges(options.challenge);
  const bearer = offered.find(({ scheme, parameters }) => scheme === "bearer" && parameters.get("realm"));
  if (!bearer && offered.some(({ scheme }) => scheme === "basic")) return basic(options);
  if (!bearer)
    throw refused(options, offered.some(({ scheme }) => scheme === "bearer") ? INVALID_REALM : UNSUPPORTED_SCHEME);
  let expires: number | undefined;
  const client = new RepositoryClient(repository, async ({ path }) => {
    const answer = await fetchToken(path, options);
    expires = options.now + tokenLifetime(answer) - MARGIN;
    return answer;
  });
  const challenge = challengeResponse(bearerHeader(bearer));
  const info = await client.performLogin({ pingRes: challenge, scope: options.scope }).catch((error: unknown) => {
    throw error instanceof TsignError ? error : refused(options, UNSUPPORTED_SCHEME);
  });
  if (info.type !== "Bearer" || !info.token) throw refused(options, UNSUPPORTED_SCHEME);
  return { header: `Bearer ${info.token}`, expires };
}

/** Rewrites a challenge in the only form that the library parses. */
function bearerHeader({ parameters }: Challenge): string {
  const quote = (text: string) => `"${text.replaceAll(/["\\\p{Cc}]/gu, "")}"`;
  const pairs = ["realm", "service", "scope"].flatMap((name) => {
    const value = parameters.get(name);
    return value === undefined ? [] : [`${name}=${quote(value)}`];
  });
  return `Bearer ${pairs.join(",")}`;
}

function basic(options: AuthenticateOptions): Authorization {
  const { credentials } = options;
  if (credentials.kind !== "password") throw refused(options, "the registry requires a user name and a password");
  if (options.origin.protocol === "http:" && !isLoopback(options.origin.hostname)) {
    throw refused(options, "passwords are not sent over plain http");
  }
  return { header: basicHeader(credentials), expires: undefined };
}

/** Encodes Basic credentials in UTF-8 (RFC 7617 §2.1); the library supports Latin-1 only. */
function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** Requests a token and returns the answer in the only form that the library parses. */
async function fetchToken(address: string, options: AuthenticateOptions): Promise<ProtocolAnswer> {
  const url = tokenUrl(address, options);
  const { credentials } = options;
  const exchange =
    credentials.kind === "refresh-token" ? refreshExchange(url, credentials.token) : get(url, credentials);
  const answer = await realmTransport(url, options).read(exchange, { maxBytes: MAX_TOKEN_ANSWER });
  if (answer.status !== 200) {
    throw refused(options, `token server ${url.host} returned ${answer.status}`, answer);
  }
  let token: { token?: unknown; access_token?: unknown; expires_in?: unknown };
  try {
    token = JSON.parse(Buffer.from(answer.bytes).toString("utf8")) as typeof token;
  } catch {
    throw refused(options, `token server ${url.host} returned invalid JSON`);
  }
  const value = [token?.token, token?.access_token].find((each) => typeof each === "string" && each !== "");
  if (value === undefined) throw refused(options, `token server ${url.host} returned no token`);
  const normal = { token: value, expires_in: Number(token.expires_in) };
  return { status: 200, headers: {}, bytes: Buffer.from(JSON.stringify(normal)) };
}

function get(url: URL, credentials: Credentials): Exchange {
  if (credentials.kind !== "password") return { method: "GET", url };
  const withAccount = new URL(url);
  withAccount.searchParams.set("account", credentials.username);
  return { method: "GET", url: withAccount, headers: { authorization: basicHeader(credentials) } };
}

/**
 * Returns the transport for the token server. A host other than the registry's is not sent the client certificate, and its
 * certificate is always verified, so that nobody in between sees the password. CA certificates set for the registry apply.
 */
function realmTransport(realm: URL, { io, tls, origin }: AuthenticateOptions): Transport {
  if (realm.origin === origin.origin) return createTransport(io, { tls, peer: REGISTRY });
  return createTransport(io, { peer: REGISTRY, ...(tls.ca === undefined ? {} : { tls: { ca: tls.ca } }) });
}

function tokenLifetime(answer: ProtocolAnswer): number {
  const { expires_in: seconds } = JSON.parse(Buffer.from(answer.bytes).toString("utf8")) as { expires_in?: unknown };
  return typeof seconds === "number" && seconds > 0 ? seconds * 1000 : DEFAULT_LIFETIME;
}

/**
 * Returns the realm's URL with the library's query. Secrets are sent to it only over https, unless it and the registry are on
 * this machine, and never to a private address other than the registry's own.
 */
function tokenUrl(address: string, options: AuthenticateOptions): URL {
  // The library appends its query with "?" even when the realm already has one.
  const [base = "", ...queries] = address.split("?");
  const url = URL.parse(queries.length > 0 ? `${base}?${queries.join("&")}` : base);
  if (!url || url.hostname === "undefined") throw refused(options, INVALID_REALM);
  const { origin } = options;
  const local = isLoopback(url.hostname) && isLoopback(origin.hostname);
  if (url.protocol !== "https:" && !local) throw refused(options, `the token realm ${url.host} does not use https`);
  if (isPrivateAddress(url.hostname) && url.hostname !== origin.hostname && !local) {
    throw refused(options, `the token realm ${url.host} is a private or link-local address of another host`);
  }
  return withSeparateScopes(url);
}

/** Gives each scope a parameter of its own, as go-containerregistry does; not all token servers split them. */
function withSeparateScopes(url: URL): URL {
  const scopes = url.searchParams.getAll("scope").flatMap((each) => each.split(" "));
  if (scopes.length > 1) {
    url.searchParams.delete("scope");
    for (const scope of scopes) url.searchParams.append("scope", scope);
  }
  return url;
}

/** OAuth2 refresh (distribution spec, "OAuth2 Token Authentication"). */
function refreshExchange(url: URL, token: string): Exchange {
  const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: token, client_id: "tsign" });
  for (const name of ["service", "scope"]) {
    const values = url.searchParams.getAll(name);
    if (values.length > 0) form.set(name, values.join(" "));
  }
  const target = new URL(url.origin + url.pathname);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url: target, headers, body: Buffer.from(form.toString()) };
}

function refused(
  options: AuthenticateOptions,
  reason: string,
  answer: { status: number; url: URL } | undefined = undefined,
): TsignError {
  const { repository, credentials } = options;
  return new TsignError("auth", `log in to ${repository.registry}: ${reason}`, {
    hint: credentials.note ?? `run \`tsign login ${repository.registry}\``,
    service: "registry",
    status: answer?.status,
    url: answer?.url,
  });
}
