import { TsignError } from "../errors.ts";
import type { HttpRequest, HttpResponse, TlsOptions } from "../io/io.ts";
import { withDeadline, withoutPauses } from "./deadline.ts";
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
  /** A function returns a new stream for each attempt. */
  readonly body?: Uint8Array | (() => AsyncIterable<Uint8Array>);
  /** Path of a file with the content of `body`; where it can be sent, `body` is not read (HttpRequest in src/io/io.ts). */
  readonly file?: string | undefined;
  readonly followRedirects?: boolean;
}

/** An answer with its whole body. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  /** The URL it came from, after redirects. */
  readonly url: URL;
}

export interface Transport {
  /** Reads an answer. HTTP error statuses are returned, not thrown. @throws TsignError "limit" above `maxBytes` */
  read(exchange: Exchange, options: { maxBytes: number }): Promise<Answer>;
  /** Returns the answer with its body as a stream, limited in time but not in size. */
  stream(exchange: Exchange): Promise<HttpResponse & { url: URL }>;
}

/**
 * Creates the transport for all network access. Exchanges have time limits and are retried where that is safe. Redirects to
 * another origin get no credentials, and redirects from https to http are refused.
 *
 * @param options.peer the service, for errors; none for a URL given by the user
 * @throws TsignError "network", "timeout", "limit", and "service" ("registry" for a registry) for a refused redirect; with
 *   `service` and `url`
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

/** Sends one attempt and follows its redirects. */
async function exchangeOnce(
  io: TransportIo,
  attempt: { exchange: Exchange; limits: Limits; tls: TlsOptions | undefined; peer: Peer | undefined },
): Promise<HttpResponse & { url: URL }> {
  const { exchange, limits, tls, peer } = attempt;
  let { url, method } = exchange;
  const headers: Record<string, string> = { "user-agent": USER_AGENT, accept: "*/*", ...exchange.headers };
  for (let redirects = 0; ; redirects++) {
    const response = await sendOne(io, { exchange, limits, tls, url, method, headers });
    const { location } = response.headers;
    if (!exchange.followRedirects || !REDIRECTS.has(response.status) || location === undefined) {
      return { ...response, url };
    }
    response.discard();
    if (redirects === MAX_REDIRECTS) {
      throw new TsignError(faultOf(peer), `request to ${url.host}: more than ${redirects} redirects`, { url });
    }
    const next = resolveLocation(url, location, peer);
    if (next.origin !== url.origin) delete headers["authorization"];
    if (response.status === 303 && method !== "HEAD") method = "GET";
    url = next;
  }
}

/**
 * Resolves a Location header.
 *
 * @param peer the service that sent it
 * @throws TsignError "registry" or "service" for a URL that is not http(s), and for a redirect from https to http
 */
export function resolveLocation(from: URL, location: string, peer?: Peer): URL {
  const next = URL.parse(location, from);
  if (!next || (next.protocol !== "https:" && next.protocol !== "http:")) {
    throw new TsignError(faultOf(peer), `redirect from ${from.host}: the target is not an http or https URL`, {
      service: peer?.service,
      url: from,
    });
  }
  if (from.protocol === "https:" && next.protocol === "http:") {
    throw new TsignError(faultOf(peer), `redirect from ${from.host} to ${next.host}: refused from https to http`, {
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
  const late = () =>
    new TsignError("timeout", `request to ${url.host}: no answer within ${Math.round(allowed / 1000)} s`, {
      hint: "try again later, or check the network and the address",
    });
  const request = io.http({
    url,
    method,
    headers,
    signal,
    ...(exchange.body && method !== "GET" ? bodyOf(exchange, exchange.body) : {}),
    ...(tls && sameOrigin ? { tls } : {}),
    ...(proxy ? { proxy: proxy.url } : {}),
  });
  const waited = withDeadline(io, request, { milliseconds: allowed, stop, error: late });
  const response = proxy === undefined ? await waited : await throughProxy(waited, url, proxy);
  return { ...response, body: paced(io, response, { limits, stop, host: url.host }) };
}

function bodyOf({ file }: Exchange, body: NonNullable<Exchange["body"]>): Pick<HttpRequest, "body" | "file"> {
  return { body: typeof body === "function" ? body() : body, ...(file === undefined ? {} : { file }) };
}

/** Limits the pauses of a body and, after some time, its rate, so that a server cannot keep a command waiting by sending slowly. */
async function* paced(
  io: TransportIo,
  response: HttpResponse,
  { limits, stop, host }: { limits: Limits; stop: AbortController; host: string },
): AsyncIterable<Uint8Array> {
  const error = () => new TsignError("timeout", `read from ${host}: no data for ${limits.idle / 1000} s`);
  const started = io.now().getTime();
  let bytes = 0;
  try {
    for await (const piece of withoutPauses(io, response.body, { milliseconds: limits.idle, stop, error })) {
      bytes += piece.length;
      const elapsed = io.now().getTime() - started;
      if (elapsed > limits.body && (bytes / elapsed) * 1000 < limits.minRate) {
        throw new TsignError("timeout", `read from ${host}: slower than ${limits.minRate} bytes per second`);
      }
      yield piece;
    }
  } finally {
    response.discard();
  }
}

async function readWhole(
  response: HttpResponse,
  request: { maxBytes: number; url: URL; method: Exchange["method"] },
): Promise<Uint8Array> {
  const { maxBytes, url, method } = request;
  // In an answer to HEAD, Content-Length is the size of the body that GET would return.
  const stated = method === "HEAD" ? 0 : Number(response.headers["content-length"] ?? 0);
  const tooLarge = () => new TsignError("limit", `read from ${url.host}: the answer is larger than ${maxBytes} bytes`);
  if (stated > maxBytes) {
    response.discard();
    throw tooLarge();
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body) {
    size += piece.length;
    if (size > maxBytes) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/**
 * Reads the content of an http(s) URL in pieces, for keys, signatures and blobs named on the command line.
 *
 * @throws TsignError "input" for any status but 200, so that an error page is never used as content
 */
export async function* streamUrl(io: TransportIo, address: string): AsyncIterable<Uint8Array> {
  const url = URL.parse(address);
  if (!url) throw new TsignError("input", `read "${address}": invalid URL`);
  if (url.username || url.password) {
    throw new TsignError("input", `read URL on ${url.host}: user names and passwords in URLs are not supported`);
  }
  const response = await createTransport(io).stream({ method: "GET", url, followRedirects: true });
  if (response.status !== 200) {
    response.discard();
    throw new TsignError("input", `read ${url.origin}${url.pathname}: the server returned ${response.status}`, {
      status: response.status,
      url,
    });
  }
  yield* response.body;
}
