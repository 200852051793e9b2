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

/** What is sent to the registry from now on, and until when it is good. */
export interface Authorization {
  readonly header: string;
  /** Milliseconds since 1970; undefined when it does not expire. */
  readonly expires: number | undefined;
}

/** A token answer that names no lifetime is good for a minute (distribution spec, "Token Authentication"). */
const DEFAULT_LIFETIME = 60_000;
/** A token is renewed so long before it expires. Milliseconds. */
const MARGIN = 5_000;
const MAX_TOKEN_ANSWER = 1024 * 1024;
const NO_REALM = "its token realm is not a URL";
const UNKNOWN_WAY = "it asks for a way of login that tsign does not know";

export interface AuthenticateOptions {
  readonly io: TransportIo;
  /** How the registry is reached. */
  readonly tls: TlsOptions;
  readonly repository: Repository;
  readonly credentials: Credentials;
  /** The WWW-Authenticate header that was answered. */
  readonly challenge: string;
  /** The registry's own origin, over which it answered. */
  readonly origin: URL;
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
  if (!bearer) throw refused(options, offered.some(({ scheme }) => scheme === "bearer") ? NO_REALM : UNKNOWN_WAY);
  let expires: number | undefined;
  const client = new RepositoryClient(repository, async ({ path }) => {
    const answer = await fetchToken(path, options);
    expires = options.now + tokenLifetime(answer) - MARGIN;
    return answer;
  });
  const challenge = challengeResponse(bearerHeader(bearer));
  const info = await client.performLogin({ pingRes: challenge, scope: options.scope }).catch((error: unknown) => {
    throw error instanceof TsignError ? error : refused(options, UNKNOWN_WAY);
  });
  if (info.type !== "Bearer" || !info.token) throw refused(options, UNKNOWN_WAY);
  return { header: `Bearer ${info.token}`, expires };
}

/** A challenge in the one spelling that the library reads. */
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
  if (credentials.kind !== "password")
    throw refused(options, "it wants a user name and a password, and there are none");
  if (options.origin.protocol === "http:" && !isLoopback(options.origin.hostname)) {
    throw refused(options, "a password is not sent over http");
  }
  return { header: basicHeader(credentials), expires: undefined };
}

/** In UTF-8 (RFC 7617 §2.1); the library's own takes Latin-1 only. */
function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** The token answer, in the one spelling the library reads. */
async function fetchToken(address: string, options: AuthenticateOptions): Promise<ProtocolAnswer> {
  const url = tokenUrl(address, options);
  const { credentials } = options;
  const exchange =
    credentials.kind === "refresh-token" ? refreshExchange(url, credentials.token) : get(url, credentials);
  const answer = await realmTransport(url, options).read(exchange, { maxBytes: MAX_TOKEN_ANSWER });
  if (answer.status !== 200) {
    throw refused(options, `${url.host} answered ${answer.status} when asked for a token`, answer);
  }
  let token: { token?: unknown; access_token?: unknown; expires_in?: unknown };
  try {
    token = JSON.parse(Buffer.from(answer.bytes).toString("utf8")) as typeof token;
  } catch {
    throw refused(options, `${url.host} answered with something that is no token`);
  }
  const value = [token?.token, token?.access_token].find((each) => typeof each === "string" && each !== "");
  if (value === undefined) throw refused(options, `${url.host} answered without a token`);
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
 * Another host than the registry's gets neither its client certificate nor its leniency, which would show the password to
 * whoever stands between; only authorities the user trusts for the registry count for the realm it names as well.
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
 * The realm with the library's query. Secrets go there only over https, unless both it and the registry are on this
 * machine, and never to an address of a private network that is not the registry's own.
 */
function tokenUrl(address: string, options: AuthenticateOptions): URL {
  // The library appends its query with "?" even to a realm that has one.
  const [base = "", ...queries] = address.split("?");
  const url = URL.parse(queries.length > 0 ? `${base}?${queries.join("&")}` : base);
  if (!url || url.hostname === "undefined") throw refused(options, NO_REALM);
  const { origin } = options;
  const local = isLoopback(url.hostname) && isLoopback(origin.hostname);
  if (url.protocol !== "https:" && !local) throw refused(options, `its token realm ${url.host} is not https`);
  if (isPrivateAddress(url.hostname) && url.hostname !== origin.hostname && !local) {
    throw refused(options, `its token realm ${url.host} is a private or link-local address that is not its own`);
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
  return new TsignError("auth", `cannot log in to ${repository.registry}: ${reason}`, {
    hint: credentials.note ?? `tsign login ${repository.registry}`,
    service: "registry",
    status: answer?.status,
    url: answer?.url,
  });
}
