import { BlockList, isIP } from "node:net";

/**
 * The proxy a request goes through, by the rules Go programs follow (golang.org/x/net/http/httpproxy): HTTPS_PROXY or
 * HTTP_PROXY by the URL's scheme, upper or lower case; NO_PROXY as a list of host suffixes, addresses, CIDR ranges and `*`;
 * never for localhost and loopback addresses.
 */
export function proxyFor(url: URL, env: Readonly<Record<string, string | undefined>>): string | undefined {
  const read = (name: string) => env[name] || env[name.toLowerCase()] || undefined;
  const proxy = read(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (!proxy || isLoopback(url.hostname)) return undefined;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const rules = (read("NO_PROXY") ?? "").split(",").map((rule) => rule.trim().toLowerCase());
  const bypassed = rules.some((rule) => rule !== "" && bypasses(rule, bareHost(url.hostname), port));
  return bypassed ? undefined : /^[a-z0-9]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
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

function inRange(host: string, range: string): boolean {
  const [network = "", bits = ""] = range.split("/");
  const family = isIP(network) === 6 ? "ipv6" : "ipv4";
  if (isIP(network) === 0 || isIP(host) !== isIP(network) || !/^\d+$/.test(bits)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family);
  return list.check(host, family);
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
