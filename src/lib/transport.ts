import type { HttpRequest, HttpResponse, TlsOptions } from "../io/io.ts";

export type { HttpRequest, HttpResponse, TlsOptions } from "../io/io.ts";

/**
 * The way to the network. The library opens no connection without one: functions that need the network take it as
 * `transport`, and fail with code "usage" where it is missing.
 *
 * Time limits, size limits, redirects and retries are applied around it: `send` does one HTTP exchange and nothing more. An
 * object of your own with a `send` method serves as well, for example over another HTTP client or as a stand-in in tests.
 */
export interface Transport {
  /** One HTTP exchange: follows no redirect, retries nothing. Rejects when there is no answer. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** URL of an HTTP proxy, `http://[user:password@]host:port`. Loopback addresses are always reached directly. */
  readonly proxy?: string;
  /** Hosts that are reached without the proxy, as in the variable NO_PROXY: suffixes, addresses, CIDR ranges, `*`. */
  readonly noProxy?: string;
}

/** What `createTransport` takes. */
export interface TransportOptions {
  /** URL of an HTTP proxy, `http://[user:password@]host:port`. Needs Node 22.21 or newer, or 24.5 or newer. */
  readonly proxy?: string;
  /** Hosts that are reached without the proxy, as in the variable NO_PROXY: suffixes, addresses, CIDR ranges, `*`. */
  readonly noProxy?: string;
  /** TLS of every connection: `ca` (PEM) takes the place of the authorities that Node trusts. */
  readonly tls?: TlsOptions;
}

/**
 * The network as Node's own HTTP client reaches it. Connections are kept open between requests and shared by transports of
 * the same options. Creating one opens nothing.
 *
 * TLS trusts the authorities of this process: Node's own list, or the system's too with `node --use-system-ca`.
 */
export function createTransport(options: TransportOptions = {}): Transport {
  const { proxy, noProxy, tls } = options;
  return {
    async send(request) {
      const { exchange } = await import("../io/http.ts");
      return exchange(tls && !request.tls ? { ...request, tls } : request, { systemAuthorities: false });
    },
    ...(proxy === undefined ? {} : { proxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
  };
}
