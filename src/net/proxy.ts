import { TsignError } from "../errors.ts";
import { ipVersion, isInRange } from "../format/ip-address.ts";
import type { HttpResponse } from "../io/io.ts";

/** The proxy for a request. */
export interface ProxyRoute {
  /** The URL, with user name and password. */
  readonly url: string;
  /** `http://host:port`, for messages. */
  readonly shown: string;
  /** The environment variable that sets it. */
  readonly variable: string;
}

/**
 * Returns the proxy for a request, by the rules of Go programs (golang.org/x/net/http/httpproxy): HTTPS_PROXY or HTTP_PROXY by
 * the URL's scheme, upper or lower case, unless NO_PROXY matches. NO_PROXY is a list of host suffixes, addresses, CIDR ranges
 * and `*`; an invalid entry matches nothing. localhost and loopback addresses never use a proxy.
 *
 * @throws TsignError "input" for an invalid URL, "unsupported" for a SOCKS proxy. Neither shows the value, which may contain a
 * password.
 */
export function proxyFor(url: URL, env: Readonly<Record<string, string | undefined>>): ProxyRoute | undefined {
  const find = (name: string) => [name, name.toLowerCase()].find((each) => env[each]);
  const variable = find(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (variable === undefined || isLoopback(url.hostname)) return undefined;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const exceptions = env[find("NO_PROXY") ?? ""] ?? "";
  const rules = exceptions.split(",").map((rule) => rule.trim().toLowerCase());
  const bypassed = rules.some((rule) => rule !== "" && bypasses(rule, bareHost(url.hostname), port));
  return bypassed ? undefined : parseProxy(env[variable] ?? "", variable);
}

function parseProxy(text: string, variable: string): ProxyRoute {
  const trimmed = text.trim();
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`);
  if (url && /^socks/.test(url.protocol)) {
    throw new TsignError("unsupported", `use proxy from ${variable}: SOCKS proxies are not supported`, {
      hint: `set ${variable} to an HTTP proxy, or add the host to NO_PROXY`,
    });
  }
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  // An @ after the host means that the password contains a slash, so that the user name was parsed as the host.
  const misread = url && (url.hostname === "" || `${url.pathname}${url.search}${url.hash}`.includes("@"));
  if (!url || !isHttp || misread || !isEncoded(url.username) || !isEncoded(url.password)) {
    throw new TsignError("input", `parse ${variable}: invalid proxy URL`, {
      hint:
        `set ${variable} to http://<host>:<port> or http://<user>:<password>@<host>:<port>, and percent-encode the password: ` +
        "%25 for %, %23 for #, %2F for /, %3F for ?, %40 for @, %20 for a space",
    });
  }
  return { url: url.href, shown: `${url.protocol}//${url.host}`, variable };
}

/** Reports whether a text is valid percent-encoded UTF-8. */
function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function bypasses(rule: string, host: string, port: string): boolean {
  if (rule === "*") return true;
  if (rule.includes("/")) return inRange(host, rule);
  const [, name = rule, rulePort] = /^(.*?)(?::(\d+))?$/.exec(ipVersion(rule) === 6 ? "" : rule) ?? [];
  if (rulePort !== undefined && rulePort !== port) return false;
  const wanted = bareHost(name || rule).replace(/^\*(?=\.)/, "");
  if (ipVersion(wanted)) return wanted === host;
  return wanted.startsWith(".") ? host.endsWith(wanted) : host === wanted || host.endsWith(`.${wanted}`);
}

/** Reports whether an address is in a CIDR range. An invalid range contains nothing, as in Go. */
function inRange(host: string, range: string): boolean {
  const [network = "", bits = "", ...rest] = range.split("/");
  const family = ipVersion(network);
  const longest = family === 6 ? 128 : 32;
  if (family === 0 || ipVersion(host) !== family || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > longest || (bits.length > 1 && bits.startsWith("0"))) return false;
  return isInRange(host, network, Number(bits));
}

const TO_PROXY: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "name lookup failed",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to host",
};

/**
 * Waits for an exchange through a proxy. Its errors name the proxy, without user name and password, and its variable.
 *
 * @throws TsignError "auth" when the proxy requires a login; "network" or "timeout" as thrown by the exchange
 */
export async function throughProxy(
  exchange: Promise<HttpResponse>,
  url: URL,
  proxy: ProxyRoute,
): Promise<HttpResponse> {
  const name = `proxy ${proxy.shown} (${proxy.variable})`;
  const connect = `connect to ${url.origin} through ${name}`;
  const loginRequired = () =>
    new TsignError("auth", `${connect}: the proxy requires a user name and a password (407)`, {
      hint: `set ${proxy.variable} to http://<user>:<password>@<host>:<port>, percent-encoded`,
    });
  try {
    const response = await exchange;
    if (response.status !== 407) return response;
    response.discard();
  } catch (error) {
    if (!(error instanceof TsignError) || (error.code !== "network" && error.code !== "timeout")) throw error;
    const { code = "", statusCode } = (error.cause ?? {}) as { code?: string; statusCode?: number };
    if (statusCode !== 407) {
      const refused = statusCode === undefined ? "the proxy closed the connection" : `the proxy returned ${statusCode}`;
      const reason = TO_PROXY[code] ?? (code === "ERR_PROXY_TUNNEL" ? refused : "");
      const message = reason === "" ? `${error.message} (through ${name})` : `${connect}: ${reason}`;
      const hint = reason === "" ? error.hint : `check ${proxy.variable}, or add ${bareHost(url.hostname)} to NO_PROXY`;
      throw new TsignError(error.code, message, {
        ...(hint === undefined ? {} : { hint }),
        cause: error.cause ?? error,
      });
    }
  }
  throw loginRequired();
}

/** Returns a URL's hostname in lower case, without the brackets of an IPv6 address. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

/** Reports whether a hostname is localhost, a name below it, or a loopback address. */
export function isLoopback(hostname: string): boolean {
  const host = bareHost(hostname);
  return host === "localhost" || host.endsWith(".localhost") || inOneOf(host, LOOPBACK);
}

/**
 * Reports whether a hostname is a private, shared, link-local, loopback or unspecified address (RFC 1918, 3927, 4193, 4291,
 * 6598). Names are not resolved.
 */
export function isPrivateAddress(hostname: string): boolean {
  const host = bareHost(hostname);
  return ipVersion(host) !== 0 && (isLoopback(host) || inOneOf(host, LOCAL));
}

/** Reports whether a hostname is a private IPv4 address (RFC 1918). */
export function isRfc1918(hostname: string): boolean {
  const host = bareHost(hostname);
  return ipVersion(host) === 4 && inOneOf(host, RFC1918);
}

const inOneOf = (host: string, ranges: readonly (readonly [network: string, bits: number])[]) =>
  ranges.some(([network, bits]) => isInRange(host, network, bits));

const LOOPBACK = [
  ["127.0.0.0", 8],
  ["::1", 128],
] as const;
const RFC1918 = [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const;
const LOCAL = [
  ...RFC1918,
  ["169.254.0.0", 16],
  ["100.64.0.0", 10],
  ["0.0.0.0", 8],
  ["::", 128],
  ["fe80::", 10],
  ["fc00::", 7],
] as const;
