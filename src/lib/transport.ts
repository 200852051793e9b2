import type { HttpRequest, HttpResponse, TlsOptions } from "../io/io.ts";

export type { HttpRequest, HttpResponse, TlsOptions } from "../io/io.ts";

/**
 * The network. The library opens no connection without a transport; functions that need one throw TsignError "usage" if it is
 * missing.
 *
 * The library applies time limits, size limits, redirects and retries; `send` does a single HTTP exchange. Any object with a
 * `send` method is a transport, for example one with another HTTP client, or a fake in tests.
 */
export interface Transport {
  /** Does one HTTP exchange, without redirects and retries. Rejects if there is no response. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** URL of an HTTP proxy, `http://[user:password@]host:port`. It is never used for loopback addresses. */
  readonly proxy?: string;
  /** Hosts to connect to without the proxy, in the syntax of NO_PROXY: suffixes, addresses, CIDR ranges, `*`. */
  readonly noProxy?: string;
}

/** Options of `createTransport`. */
export interface TransportOptions {
  /** URL of an HTTP proxy, `http://[user:password@]host:port`. Needs Node 22.21 or newer, or 24.5 or newer. */
  readonly proxy?: string;
  /** Hosts to connect to without the proxy, in the syntax of NO_PROXY: suffixes, addresses, CIDR ranges, `*`. */
  readonly noProxy?: string;
  /** TLS settings of all connections: `ca` (PEM) replaces the authorities that Node trusts. */
  readonly tls?: TlsOptions;
}

/**
 * Returns a transport with Node's HTTP client. Connections stay open between requests, and are shared by transports with the same
 * options. Creating a transport opens no connection.
 *
 * TLS trusts the authorities of this process: Node's list, and with `node --use-system-ca` the system's too.
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
