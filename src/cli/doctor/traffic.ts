import { TsignError } from "../../errors.ts";
import { withParts } from "../../format/parts.ts";
import type { HttpRequest, HttpResponse, Io } from "../../io/io.ts";
import { proxyFor } from "../../net/proxy.ts";
import type { Finding } from "./finding.ts";

/** Milliseconds by which a clock may differ: a Date header has whole seconds, and its response takes time. */
const TOLERANCE = 5_000;
/** Milliseconds from which a token or a new certificate may be refused. */
const TOO_MUCH = 60_000;

/** A request, and what came back. */
interface Exchange {
  readonly url: URL;
  readonly isAuthorized: boolean;
  readonly isProxied: boolean;
  /** Undefined without an answer. */
  readonly status: number | undefined;
  readonly type: string;
  /** By how many milliseconds this machine's clock is ahead of the server's; undefined if the server does not state the time. */
  readonly ahead: number | undefined;
}

/** What the checks sent, and what came back. */
export interface Traffic {
  readonly io: Io;
  readonly exchanges: readonly Exchange[];
}

/** Returns an Io that notes its requests. */
export function observed(io: Io): Traffic {
  const exchanges: Exchange[] = [];
  const http = async (request: HttpRequest): Promise<HttpResponse> => {
    const sent = io.now().getTime();
    const { url } = request;
    const common = { url, isAuthorized: "authorization" in request.headers, isProxied: request.proxy !== undefined };
    try {
      const response = await io.http(request);
      const { status, headers } = response;
      const between = (sent + io.now().getTime()) / 2;
      exchanges.push({ ...common, status, type: headers["content-type"] ?? "", ahead: aheadOf(between, headers) });
      return response;
    } catch (error) {
      exchanges.push({ ...common, status: undefined, type: "", ahead: undefined });
      throw error;
    }
  };
  return { io: withParts(io, { http }), exchanges };
}

/** A cached response states the time at which it was made, and its age in seconds (RFC 9111, section 5.1). */
function aheadOf(now: number, { date = "", age = "0" }: Readonly<Record<string, string>>): number | undefined {
  const stated = Date.parse(date);
  const seconds = /^\d{1,9}$/.test(age.trim()) ? Number(age) : 0;
  return Number.isNaN(stated) ? undefined : now - (stated + 500 + seconds * 1000);
}

/** Compares this machine's clock with the Date headers of the responses. One server's wrong clock does not decide. */
export function checkClock({ exchanges }: Traffic): Finding {
  const byHost = new Map(exchanges.flatMap(({ url, ahead }) => (ahead === undefined ? [] : [[url.host, ahead]])));
  const base = { check: "clock", subject: "this machine" } as const;
  const sorted = [...byHost].toSorted(([, one], [, other]) => one - other);
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  if (!median) return { ...base, state: "skipped", detail: "no response states the time" };
  const [host, ahead] = median;
  const seconds = Math.round(Math.abs(ahead) / 1000);
  const hosts = byHost.size > 1 ? `the median of ${byHost.size} hosts` : host;
  if (Math.abs(ahead) <= TOLERANCE) return { ...base, state: "ok", detail: `agrees with ${hosts}` };
  return {
    ...base,
    state: Math.abs(ahead) < TOO_MUCH ? "warning" : "failed",
    detail: `${seconds} s ${ahead > 0 ? "ahead of" : "behind"} ${hosts}`,
    hint: "set the clock, or run a time service (NTP): tokens, certificates and trust material are valid for limited times",
    ...(Math.abs(ahead) < TOO_MUCH ? {} : { code: "input" }),
  };
}

/** Reports which proxies were used, and those through which nothing was answered. */
export function checkProxies({ io, exchanges }: Traffic): Finding[] {
  const routes = new Map<string, { variable: string; used: Exchange[] }>();
  for (const exchange of exchanges) {
    const route = exchange.isProxied ? proxyFor(exchange.url, io.env) : undefined;
    if (!route) continue;
    const known = routes.get(route.shown) ?? { variable: route.variable, used: [] };
    routes.set(route.shown, known);
    known.used.push(exchange);
  }
  const direct = { check: "proxy", subject: "none", state: "ok", detail: "no request used a proxy" } as const;
  const found = [...routes].map(([subject, { variable, used }]) => proxyFinding({ subject, variable, used }));
  return [...(found.length > 0 ? found : [direct]), ...invalidProxies(io)];
}

function proxyFinding(proxy: { subject: string; variable: string; used: readonly Exchange[] }): Finding {
  const { subject, variable, used } = proxy;
  const base = { check: "proxy", subject } as const;
  const hosts = (list: readonly Exchange[]) => [...new Set(list.map(({ url }) => url.host))].join(", ");
  const refused = used.filter(({ status }) => status === undefined || status === 407);
  if (refused.length === 0) return { ...base, state: "ok", detail: `${variable} is used for ${hosts(used)}` };
  const all = refused.length === used.length;
  const detail = all ? `it refuses every request, to ${hosts(refused)}` : `it refuses requests to ${hosts(refused)}`;
  return {
    ...base,
    ...{ state: all ? "failed" : "warning", detail },
    hint: `check ${variable} and the proxy's user name and password, or add the hosts to NO_PROXY`,
    ...(all ? { code: "network" } : {}),
  };
}

/** The proxy variables whose value cannot be used. */
function invalidProxies(io: Pick<Io, "env">): Finding[] {
  return ["https://tsign.invalid", "http://tsign.invalid"].flatMap((address): Finding[] => {
    try {
      proxyFor(new URL(address), io.env);
      return [];
    } catch (error) {
      if (!(error instanceof TsignError)) throw error;
      const { message, hint = "unset the variable", code } = error;
      return [{ check: "proxy", subject: "environment", state: "failed", detail: message, hint, code }];
    }
  });
}
