import { TsignError } from "../errors.ts";
import type { HttpResponse, TlsOptions } from "../io/io.ts";
import { attributedPieces, attributing, faultOf, type Peer } from "./peer.ts";
import { waitingFor } from "./pending.ts";
import { proxyFor, throughProxy } from "./proxy.ts";
import { DEFAULT_LIMITS, type Limits, retrying, type TransportIo } from "./retry.ts";

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const USER_AGENT = "tsign";

export interface Exchange {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  /** Lower-case names. `authorization` is dropped as soon as a redirect leaves the URL's origin. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A function gives a stream anew for each attempt. */
  readonly body?: Uint8Array | (() => AsyncIterable<Uint8Array>);
  readonly followRedirects?: boolean;
}

/** An answer whose whole body is in memory. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  /** Where it came from, after redirects. */
  readonly url: URL;
}

export interface Transport {
  /** Reads an answer of at most `maxBytes`; TsignError "limit" above. HTTP errors are returned, not thrown. */
  read(exchange: Exchange, options: { maxBytes: number }): Promise<Answer>;
  /** The answer with its body as a stream, bounded in time but not in size. */
  stream(exchange: Exchange): Promise<HttpResponse & { url: URL }>;
}

/**
 * The one way to the network: every exchange is bounded in time, retried where that is safe, redirected only without
 * credentials, and never from https to http.
 *
 * @param options.peer who is at the other end; none for a URL that the user names
 * @throws TsignError "network", "timeout", "limit", and "service" (of a registry: "registry") for a redirect that is not
 *   followed; with `service` and `url`
 */
export function createTransport(
  io: TransportIo,
  options: { tls?: TlsOptions; limits?: Partial<Limits>; peer?: Peer } = {},
): Transport {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { peer } = options;
  const once = (exchange: Exchange) => exchangeOnce(io, { exchange, limits, tls: options.tls, peer });
  const waiting = <T>({ url }: Exchange, step: () => Promise<T>): Promise<T> =>
    attributing({ url, peer }, () =>
      waitingFor(io.signal, peer?.name ? `${peer.name} at ${url.host}` : url.host, step),
    );
  return {
    async stream(exchange) {
      const response = await waiting(exchange, () => retrying(io, limits, () => once(exchange)));
      return { ...response, body: attributedPieces(response.body, { url: exchange.url, peer }) };
    },
    read: (exchange, { maxBytes }) =>
      waiting(exchange, () =>
        retrying(io, limits, async () => {
          const response = await once(exchange);
          const bytes = await readWhole(response, { maxBytes, url: response.url, method: exchange.method });
          return { status: response.status, headers: response.headers, bytes, url: response.url };
        }),
      ),
  };
}

/** One attempt, redirects included. */
async function exchangeOnce(
  io: TransportIo,
  by: { exchange: Exchange; limits: Limits; tls: TlsOptions | undefined; peer: Peer | undefined },
): Promise<HttpResponse & { url: URL }> {
  const { exchange, limits, tls, peer } = by;
  let { url, method } = exchange;
  const headers: Record<string, string> = { "user-agent": USER_AGENT, ...exchange.headers };
  for (let redirects = 0; ; redirects++) {
    const response = await sendOne(io, { exchange, limits, tls, url, method, headers });
    const { location } = response.headers;
    if (!exchange.followRedirects || !REDIRECTS.has(response.status) || location === undefined) {
      return { ...response, url };
    }
    response.discard();
    if (redirects === MAX_REDIRECTS) {
      throw new TsignError(faultOf(peer), `${url.host} redirects more than ${redirects} times`, { url });
    }
    const next = resolveLocation(url, location, peer);
    if (next.origin !== url.origin) delete headers["authorization"];
    if (response.status === 303 && method !== "HEAD") method = "GET";
    url = next;
  }
}

/**
 * Where a Location header leads.
 *
 * @param peer who sent it
 * @throws TsignError "registry" or "service" for what is not an http(s) URL and for a step down from https to http
 */
export function resolveLocation(from: URL, location: string, peer?: Peer): URL {
  const next = URL.parse(location, from);
  if (!next || (next.protocol !== "https:" && next.protocol !== "http:")) {
    throw new TsignError(faultOf(peer), `${from.host} redirects to something that is not an http address`, {
      service: peer?.service,
      url: from,
    });
  }
  if (from.protocol === "https:" && next.protocol === "http:") {
    throw new TsignError(faultOf(peer), `${from.host} redirects from https to http (${next.host})`, {
      service: peer?.service,
      url: from,
    });
  }
  return next;
}

async function sendOne(
  io: TransportIo,
  sending: {
    exchange: Exchange;
    limits: Limits;
    tls: TlsOptions | undefined;
    url: URL;
    method: string;
    headers: Record<string, string>;
  },
): Promise<HttpResponse> {
  const { exchange, limits, tls, url, method, headers } = sending;
  const proxy = proxyFor(url, io.env);
  const sameOrigin = url.origin === exchange.url.origin;
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  const allowed = limits.answer + Number(headers["content-length"] ?? 0) / limits.minUploadRate;
  const late = new TsignError("timeout", `no answer from ${url.host} within ${Math.round(allowed / 1000)} s`);
  const request = io.http({
    url,
    method,
    headers,
    signal,
    ...(exchange.body && method !== "GET"
      ? { body: typeof exchange.body === "function" ? exchange.body() : exchange.body }
      : {}),
    ...(tls && sameOrigin ? { tls } : {}),
    ...(proxy ? { proxy: proxy.url } : {}),
  });
  const waited = withDeadline(io, request, { milliseconds: allowed, stop, error: late });
  const response = proxy === undefined ? await waited : await throughProxy(waited, url, proxy);
  return { ...response, body: paced(io, response, { limits, stop, host: url.host }) };
}

/** Waits for a promise at most so long; then what it waits for is aborted. */
async function withDeadline<T>(
  io: TransportIo,
  promise: Promise<T>,
  by: { milliseconds: number; stop: AbortController; error: TsignError },
): Promise<T> {
  const done = new AbortController();
  const timer = io.sleep(by.milliseconds, done.signal).then(
    () => {
      by.stop.abort(by.error);
      throw by.error;
    },
    () => promise, // the timer was called off
  );
  try {
    return await Promise.race([promise, timer]);
  } finally {
    done.abort();
    timer.catch(() => {});
  }
}

/** Bounds the pauses of a body and, once it takes long, its rate: a slow drip ends with an error. */
async function* paced(
  io: TransportIo,
  response: HttpResponse,
  { limits, stop, host }: { limits: Limits; stop: AbortController; host: string },
): AsyncIterable<Uint8Array> {
  const pieces = response.body[Symbol.asyncIterator]();
  const started = io.now().getTime();
  let bytes = 0;
  try {
    for (;;) {
      const error = new TsignError("timeout", `${host} stopped sending for ${limits.idle / 1000} s`);
      const next = await withDeadline(io, pieces.next(), { milliseconds: limits.idle, stop, error });
      if (next.done) return;
      bytes += next.value.length;
      const elapsed = io.now().getTime() - started;
      if (elapsed > limits.body && (bytes / elapsed) * 1000 < limits.minRate) {
        throw new TsignError("timeout", `${host} sends slower than ${limits.minRate} bytes a second`);
      }
      yield next.value;
    }
  } finally {
    response.discard();
  }
}

async function readWhole(
  response: HttpResponse,
  by: { maxBytes: number; url: URL; method: Exchange["method"] },
): Promise<Uint8Array> {
  // In an answer to HEAD it is the length of the body that a GET would have.
  const stated = by.method === "HEAD" ? 0 : Number(response.headers["content-length"] ?? 0);
  const tooLarge = () => new TsignError("limit", `the answer of ${by.url.host} is larger than ${by.maxBytes} bytes`);
  if (stated > by.maxBytes) {
    response.discard();
    throw tooLarge();
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body) {
    size += piece.length;
    if (size > by.maxBytes) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/**
 * The content of an http(s) URL in pieces, for keys, signatures and blobs named on the command line.
 *
 * @throws TsignError "input" for an answer that is not 200: an error page is never taken for content
 */
export async function* streamUrl(io: TransportIo, address: string): AsyncIterable<Uint8Array> {
  const url = URL.parse(address);
  if (!url) throw new TsignError("input", `"${address}" is not a URL`);
  if (url.username || url.password) throw new TsignError("input", `a URL with a password is not accepted: ${url.host}`);
  const response = await createTransport(io).stream({ method: "GET", url, followRedirects: true });
  if (response.status !== 200) {
    response.discard();
    throw new TsignError("input", `${url.origin}${url.pathname} answered ${response.status}`, {
      status: response.status,
      url,
    });
  }
  yield* response.body;
}
