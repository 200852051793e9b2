import { TsignError } from "./errors.ts";
import type { HttpResponse, Io, TlsOptions } from "./io.ts";
import { proxyFor } from "./proxy.ts";

/** What the guarded transport needs of the world. */
export type TransportIo = Pick<Io, "http" | "sleep" | "now" | "env" | "signal">;

/** Bounds of one exchange. Milliseconds, but for the rate. */
export interface Limits {
  /** Until the answer's head has arrived. */
  readonly answer: number;
  /** Between two pieces of a body. */
  readonly idle: number;
  /** For a whole body that is read into memory. */
  readonly body: number;
  /** A streamed body must keep up this many bytes a second once `body` has passed. */
  readonly minRate: number;
  readonly attempts: number;
  /** First pause before a retry; doubled for each further one. */
  readonly backoff: number;
  /** Longest pause, whatever Retry-After says. */
  readonly maxBackoff: number;
}

export const DEFAULT_LIMITS: Limits = {
  answer: 30_000,
  idle: 30_000,
  body: 60_000,
  minRate: 1024,
  attempts: 4,
  backoff: 500,
  maxBackoff: 30_000,
};

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const RETRIED_STATUSES = new Set([408, 429, 500, 502, 503, 504]);
const RETRIED_CAUSES = new Set(["ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"]);
const USER_AGENT = "tsign";

export interface Exchange {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  /** Lower-case names. `authorization` is dropped as soon as a redirect leaves the URL's origin. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A function gives a stream anew for each attempt; without one a stream cannot be retried. */
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
 * @throws TsignError "network", "timeout", "limit", "registry"
 */
export function createTransport(
  io: TransportIo,
  options: { tls?: TlsOptions; limits?: Partial<Limits> } = {},
): Transport {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const once = (exchange: Exchange) => exchangeOnce(io, { exchange, limits, tls: options.tls });
  return {
    stream: (exchange) => retrying(io, limits, () => once(exchange)),
    read: (exchange, { maxBytes }) =>
      retrying(io, limits, async () => {
        const response = await once(exchange);
        const bytes =
          exchange.method === "HEAD"
            ? new Uint8Array() // its content-length is that of the body a GET would have
            : await readWhole(response, { maxBytes, url: response.url });
        return { status: response.status, headers: response.headers, bytes, url: response.url };
      }),
  };
}

/** One attempt, redirects included. */
async function exchangeOnce(
  io: TransportIo,
  { exchange, limits, tls }: { exchange: Exchange; limits: Limits; tls: TlsOptions | undefined },
): Promise<HttpResponse & { url: URL }> {
  let { url, method } = exchange;
  const headers: Record<string, string> = { "user-agent": USER_AGENT, ...exchange.headers };
  for (let redirects = 0; ; redirects++) {
    const response = await sendOne(io, { exchange, limits, tls, url, method, headers });
    const { location } = response.headers;
    if (!exchange.followRedirects || !REDIRECTS.has(response.status) || location === undefined) {
      return { ...response, url };
    }
    response.discard();
    if (redirects === MAX_REDIRECTS)
      throw new TsignError("registry", `${url.host} redirects more than ${redirects} times`);
    const next = resolveLocation(url, location);
    if (next.origin !== url.origin) delete headers["authorization"];
    if (response.status === 303 && method !== "HEAD") method = "GET";
    url = next;
  }
}

/**
 * Where a Location header leads.
 *
 * @throws TsignError "registry" for what is no http(s) URL and for a step down from https to http
 */
export function resolveLocation(from: URL, location: string): URL {
  const next = URL.parse(location, from);
  if (!next || (next.protocol !== "https:" && next.protocol !== "http:")) {
    throw new TsignError("registry", `${from.host} redirects to something that is not an http address`);
  }
  if (from.protocol === "https:" && next.protocol === "http:") {
    throw new TsignError("registry", `${from.host} redirects from https to http (${next.host})`);
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
  const late = new TsignError("timeout", `no answer from ${url.host} within ${limits.answer / 1000} s`);
  const request = io.http({
    url,
    method,
    headers,
    signal,
    ...(exchange.body && method !== "GET"
      ? { body: typeof exchange.body === "function" ? exchange.body() : exchange.body }
      : {}),
    ...(tls && sameOrigin ? { tls } : {}),
    ...(proxy ? { proxy } : {}),
  });
  const response = await withDeadline(io, request, { milliseconds: limits.answer, stop, error: late });
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

async function readWhole(response: HttpResponse, by: { maxBytes: number; url: URL }): Promise<Uint8Array> {
  const stated = Number(response.headers["content-length"] ?? 0);
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

/** Repeats an attempt that failed for a passing reason, pausing longer each time or as long as the server asks. */
async function retrying<T extends { status: number; headers: Readonly<Record<string, string>> }>(
  io: TransportIo,
  limits: Limits,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let round = 1; ; round++) {
    const last = round >= limits.attempts;
    let pause = Math.min(limits.backoff * 2 ** (round - 1) * (0.75 + Math.random() / 2), limits.maxBackoff);
    try {
      const result = await attempt();
      if (last || !isPassing(result)) return result;
      if ("discard" in result && typeof result.discard === "function") result.discard();
      pause = Math.max(pause, Math.min(retryAfter(result.headers, io.now()), limits.maxBackoff));
    } catch (error) {
      if (last || io.signal.aborted || !isPassingError(error)) throw error;
    }
    await io.sleep(pause, io.signal);
  }
}

/** A status that says "later", also GitHub's way of saying it with 403. */
function isPassing(result: { status: number; bytes?: unknown }): boolean {
  if (RETRIED_STATUSES.has(result.status)) return true;
  if (result.status !== 403 || !(result.bytes instanceof Uint8Array)) return false;
  return /rate.?limit|too many requests/i.test(Buffer.from(result.bytes).toString("latin1"));
}

function isPassingError(error: unknown): boolean {
  if (!(error instanceof TsignError)) return false;
  const { cause } = error as { cause?: { code?: string } };
  return error.code === "network" && RETRIED_CAUSES.has(cause?.code ?? "");
}

/** Milliseconds a Retry-After header asks for (RFC 9110 §10.2.3); 0 without one. */
function retryAfter(headers: Readonly<Record<string, string>>, now: Date): number {
  const value = headers["retry-after"];
  if (value === undefined) return 0;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now.getTime();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : 0;
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
    throw new TsignError("input", `${url.origin}${url.pathname} answered ${response.status}`);
  }
  yield* response.body;
}
