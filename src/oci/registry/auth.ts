import { TsignError } from "../../errors.ts";
import type { Transport } from "../../http.ts";
import { isLoopback, isPrivateAddress } from "../../proxy.ts";
import type { Repository } from "../ref.ts";
import type { Credentials } from "./keychain.ts";
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

export interface AuthenticateOptions {
  readonly transport: Transport;
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
  const { challengeResponse, protocolClient } = await import("./protocol.ts");
  if (/^basic\b/i.test(options.challenge.trim())) return basic(options);
  let expires: number | undefined;
  const client = protocolClient(repository, {
    ...(credentials.kind === "password" ? { username: credentials.username, password: credentials.password } : {}),
    send: async ({ path, headers }) => {
      const answer = await fetchToken(path, headers, options);
      expires = options.now + tokenLifetime(answer) - MARGIN;
      return answer;
    },
  });
  const info = await client.performLogin({ pingRes: challengeResponse(options.challenge), scope: options.scope });
  if (info.type !== "Bearer" || !info.token)
    throw refused(options, "it asks for a way of login that tsign does not know");
  return { header: `Bearer ${info.token}`, expires };
}

function basic(options: AuthenticateOptions): Authorization {
  const { credentials } = options;
  if (credentials.kind !== "password")
    throw refused(options, "it wants a user name and a password, and there are none");
  if (options.origin.protocol === "http:" && !isLoopback(options.origin.hostname)) {
    throw refused(options, "a password is not sent over http");
  }
  const pair = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  return { header: `Basic ${pair}`, expires: undefined };
}

/** The token answer, in the one spelling the library reads. */
async function fetchToken(
  address: string,
  headers: Readonly<Record<string, string>>,
  options: AuthenticateOptions,
): Promise<ProtocolAnswer> {
  const url = tokenUrl(address, options);
  const { credentials, transport } = options;
  const answer =
    credentials.kind === "refresh-token"
      ? await transport.read(refreshExchange(url, credentials.token), { maxBytes: MAX_TOKEN_ANSWER })
      : await transport.read({ method: "GET", url, headers }, { maxBytes: MAX_TOKEN_ANSWER });
  if (answer.status !== 200) throw refused(options, `${url.host} answered ${answer.status} when asked for a token`);
  let token: { token?: unknown; access_token?: unknown; expires_in?: unknown };
  try {
    token = JSON.parse(Buffer.from(answer.bytes).toString("utf8")) as typeof token;
  } catch {
    throw refused(options, `${url.host} answered with something that is no token`);
  }
  const value = token.token ?? token.access_token;
  if (typeof value !== "string" || value === "") throw refused(options, `${url.host} answered without a token`);
  const normal = { token: value, expires_in: token.expires_in };
  return { status: 200, headers: {}, bytes: Buffer.from(JSON.stringify(normal)) };
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
  if (!url) throw refused(options, "its token realm is not a URL");
  const { origin } = options;
  const local = isLoopback(url.hostname) && isLoopback(origin.hostname);
  if (url.protocol !== "https:" && !local) throw refused(options, `its token realm ${url.host} is not https`);
  if (isPrivateAddress(url.hostname) && url.hostname !== origin.hostname && !local) {
    throw refused(options, `its token realm ${url.host} is a private or link-local address that is not its own`);
  }
  return url;
}

/** OAuth2 refresh (distribution spec, "OAuth2 Token Authentication"). */
function refreshExchange(url: URL, token: string) {
  const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: token, client_id: "tsign" });
  for (const name of ["service", "scope"]) {
    const values = url.searchParams.getAll(name);
    if (values.length > 0) form.set(name, values.join(" "));
  }
  const target = new URL(url.origin + url.pathname);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url: target, headers, body: Buffer.from(form.toString()) } as const;
}

function refused(options: AuthenticateOptions, reason: string): TsignError {
  return new TsignError("auth", `cannot log in to ${options.repository.registry}: ${reason}`, {
    hint: `tsign login ${options.repository.registry}`,
  });
}
