import { BlockList, isIP } from "node:net";
import { TsignError } from "../errors.ts";
import type { HttpResponse } from "../io/io.ts";

/** A proxy to go through. */
export interface ProxyRoute {
  /** With its user name and password. */
  readonly url: string;
  /** `http://host:port`, for messages. */
  readonly shown: string;
  /** The variable that names it. */
  readonly variable: string;
}

/**
 * The proxy a request goes through, by the rules Go programs follow (golang.org/x/net/http/httpproxy): HTTPS_PROXY or
 * HTTP_PROXY by the URL's scheme, upper or lower case; NO_PROXY as a list of host suffixes, addresses, CIDR ranges and `*`,
 * in which what cannot be read matches nothing; never for localhost and loopback addresses.
 *
 * @throws TsignError "input" for a variable that holds no URL, "unsupported" for a kind of proxy that is not spoken. Neither
 * names the value, which may hold a password.
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
    throw new TsignError("unsupported", `${variable} names a SOCKS proxy, which tsign does not speak`, {
      hint: "name an HTTP proxy, or except the host with NO_PROXY",
    });
  }
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  // An @ after the host is one of a password that holds a slash: what looks like the host is the user's name.
  const misread = url && (url.hostname === "" || `${url.pathname}${url.search}${url.hash}`.includes("@"));
  if (!url || !isHttp || misread || !isEncoded(url.username) || !isEncoded(url.password)) {
    throw new TsignError("input", `${variable} does not hold the URL of a proxy`, {
      hint:
        "it reads http://<host>:<port> or http://<user>:<password>@<host>:<port>, where the password is percent-encoded: " +
        "%25 for %, %23 for #, %2F for /, %3F for ?, %40 for @, %20 for a space",
    });
  }
  return { url: url.href, shown: `${url.protocol}//${url.host}`, variable };
}

/** Whether every % begins an escape of UTF-8 text, so that it can be decoded. */
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
  const [, name = rule, rulePort] = /^(.*?)(?::(\d+))?$/.exec(isIP(rule) === 6 ? "" : rule) ?? [];
  if (rulePort !== undefined && rulePort !== port) return false;
  const wanted = bareHost(name || rule).replace(/^\*(?=\.)/, "");
  if (isIP(wanted)) return wanted === host;
  return wanted.startsWith(".") ? host.endsWith(wanted) : host === wanted || host.endsWith(`.${wanted}`);
}

/** Whether an address is in a CIDR range; a range that is none holds nothing, as in Go. */
function inRange(host: string, range: string): boolean {
  const [network = "", bits = "", ...rest] = range.split("/");
  const family = isIP(network);
  const longest = family === 6 ? 128 : 32;
  if (family === 0 || isIP(host) !== family || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > longest || (bits.length > 1 && bits.startsWith("0"))) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family === 6 ? "ipv6" : "ipv4");
  return list.check(host, family === 6 ? "ipv6" : "ipv4");
}

const TO_PROXY: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "its name could not be looked up",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "no route to it",
};

/**
 * An exchange through a proxy, whose failures are the proxy's where they come before anything of the server's: they name it,
 * without user name and password, and its variable.
 */
export async function throughProxy(
  exchange: Promise<HttpResponse>,
  url: URL,
  proxy: ProxyRoute,
): Promise<HttpResponse> {
  const name = `the proxy ${proxy.shown} (${proxy.variable})`;
  const toldToLogIn = () =>
    new TsignError("auth", `${name} wants a user name and a password (407)`, {
      hint: `put them into ${proxy.variable}, percent-encoded: http://<user>:<password>@<host>:<port>`,
    });
  try {
    const response = await exchange;
    if (response.status !== 407) return response;
    response.discard();
  } catch (error) {
    if (!(error instanceof TsignError) || (error.code !== "network" && error.code !== "timeout")) throw error;
    const { code = "", statusCode } = (error.cause ?? {}) as { code?: string; statusCode?: number };
    if (statusCode !== 407) {
      const tunnel =
        code === "ERR_PROXY_TUNNEL" ? `it answered ${statusCode ?? "nothing"} when asked for ${url.host}` : "";
      const reason = TO_PROXY[code] ?? tunnel;
      const message =
        reason === "" ? `${error.message}, through ${name}` : `cannot reach ${url.origin} through ${name}: ${reason}`;
      const hint = reason === "" ? error.hint : `is ${proxy.variable} right? NO_PROXY names hosts to reach without it`;
      throw new TsignError(error.code, message, {
        ...(hint === undefined ? {} : { hint }),
        cause: error.cause ?? error,
      });
    }
  }
  throw toldToLogIn();
}

/** A URL's hostname without the brackets of an IPv6 address. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

/** localhost, a name below it, or a loopback address. */
export function isLoopback(hostname: string): boolean {
  const host = bareHost(hostname);
  return (
    host === "localhost" || host.endsWith(".localhost") || loopback.check(host, isIP(host) === 6 ? "ipv6" : "ipv4")
  );
}

/** A private, shared, link-local, loopback or unspecified address (RFC 1918, 3927, 4193, 4291, 6598). Names are not looked up. */
export function isPrivateAddress(hostname: string): boolean {
  const host = bareHost(hostname);
  return isIP(host) !== 0 && (isLoopback(host) || local.check(host, isIP(host) === 6 ? "ipv6" : "ipv4"));
}

/** An address of the three private IPv4 networks (RFC 1918). */
export function isRfc1918(hostname: string): boolean {
  const host = bareHost(hostname);
  return isIP(host) === 4 && rfc1918.check(host);
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8);
loopback.addAddress("::1", "ipv6");
const rfc1918 = new BlockList();
const local = new BlockList();
for (const [network, bits] of [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  rfc1918.addSubnet(network, bits);
  local.addSubnet(network, bits);
}
local.addSubnet("169.254.0.0", 16);
local.addSubnet("100.64.0.0", 10);
local.addSubnet("0.0.0.0", 8);
local.addAddress("::", "ipv6");
local.addSubnet("fe80::", 10, "ipv6");
local.addSubnet("fc00::", 7, "ipv6");
