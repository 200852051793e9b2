import { TsignError } from "../errors.ts";
import { once } from "../format/once.ts";
import { systemAuthorities } from "./authorities.ts";
import { networkError } from "./http-errors.ts";
import type { HttpRequest, HttpResponse } from "./io.ts";

/**
 * Requests by Bun's own fetch, which needs a quarter of the time of node:http on Bun. It serves requests that only read, and
 * answers that are usual. Whatever else happens (a certificate that it does not accept, a header that occurs twice) is decided by
 * node:http, to which the request is sent again. test/support/transport-cases.ts compares the two.
 */
const loadHttp = once(() => import("./http.ts"));

/** Errors of fetch that mean the same as in node:http. */
const SAME = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
]);

/** Servers that fetch could not talk to. */
const unusual = new Set<string>();

/** Sends one HTTP request (Io.http). */
export async function exchangeOnBun(request: HttpRequest): Promise<HttpResponse> {
  const { url, signal } = request;
  const byNode = async () => (await loadHttp()).exchange(request);
  const tls = canFetch(request) && !unusual.has(url.origin) ? tlsOf(request) : undefined;
  if (tls === undefined) return byNode();
  const stop = new AbortController();
  let response: Response;
  try {
    response = await fetch(url, optionsOf(request, tls, AbortSignal.any([signal, stop.signal])));
  } catch (cause) {
    if (signal.aborted) throw signal.reason instanceof TsignError ? signal.reason : networkError(url, cause);
    if (SAME.has((cause as { code?: string }).code ?? "")) throw networkError(url, cause);
    unusual.add(url.origin);
    return byNode();
  }
  const headers = headersOf(response);
  if (headers === undefined) {
    stop.abort();
    return byNode();
  }
  const discard = () => stop.abort();
  return { status: response.status, headers, body: bodyOf(response, { url, signal, discard }), discard };
}

/** fetch also reads files and data URLs. */
const PROTOCOLS = new Set(["http:", "https:"]);

/** Headers that have a meaning for the connection: fetch compares the server's certificate with the name in Host. */
const OF_CONNECTION = ["host", "connection", "content-length", "transfer-encoding", "expect", "upgrade"];

/**
 * Whether fetch sends exactly this request: it adds a user-agent and accept where there are none, and may send a request again when
 * a connection that was used before is closed.
 */
function canFetch({ url, method, headers, body, proxy }: HttpRequest): boolean {
  const isComplete = headers["user-agent"] !== undefined && headers["accept"] !== undefined;
  const isUsual = isComplete && !OF_CONNECTION.some((name) => name in headers);
  const onlyReads = (method === "GET" || method === "HEAD") && body === undefined;
  const isPlain = PROTOCOLS.has(url.protocol) && url.username === "" && url.password === "";
  return onlyReads && isUsual && isPlain && proxy === undefined;
}

/** Bun's TLS options (BunFetchRequestInitTLS); undefined if there is no CA certificate, because Bun would then trust its own. */
function tlsOf({ url, tls = {} }: HttpRequest): object | undefined {
  if (url.protocol === "http:") return {};
  const { ca, cert, key, serverName, insecure = false } = tls;
  const own = { ...(cert ? { cert } : {}), ...(key ? { key } : {}), ...(serverName ? { serverName } : {}) };
  if (insecure) return { tls: { ...own, rejectUnauthorized: false } };
  const authorities = ca === undefined ? system() : blocksOf(ca);
  return authorities.length === 0 ? undefined : { tls: { ...own, ca: authorities, rejectUnauthorized: true } };
}

/** A PEM block without header lines. */
const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

const blocksOf = (pem: string): readonly string[] => pem.match(BLOCK) ?? [];

const known = new Map<string, readonly string[]>();

/** The system's CA certificates; read once, unless the variables change. */
function system(): readonly string[] {
  const { SSL_CERT_FILE, SSL_CERT_DIR } = process.env;
  const id = JSON.stringify([SSL_CERT_FILE, SSL_CERT_DIR]);
  const authorities = known.get(id) ?? systemAuthorities(process.env, process.platform);
  known.set(id, authorities);
  return authorities;
}

/** Options of fetch that only Bun has are explained at https://bun.com/reference/globals/BunFetchRequestInit. */
function optionsOf({ method, headers }: HttpRequest, tls: object, signal: AbortSignal): RequestInit {
  const ofBun = { decompress: false, proxy: false, timeout: false, verbose: false, ...tls };
  return { method, headers, signal, redirect: "manual", ...ofBun };
}

/** Of these headers, the first counts in node:http. fetch joins them. */
const SINGLE = ["content-type", "etag", "location", "retry-after"];

/** node:http's limit for a header is 16 KiB, with the status line. */
const MAX_HEADER = 15 * 1024;

/** Returns the headers, or undefined if node:http may read them in another way. */
function headersOf(response: Response): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  let size = 0;
  for (const [name, value] of response.headers) {
    size += name.length + value.length + 4;
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const isJoined = SINGLE.some((name) => headers[name]?.includes(","));
  const twoSizes = "content-length" in headers && "transfer-encoding" in headers;
  return size > MAX_HEADER || isJoined || twoSizes ? undefined : headers;
}

async function* bodyOf(
  { body }: Response,
  { url, signal, discard }: { url: URL; signal: AbortSignal; discard: () => void },
): AsyncIterable<Uint8Array> {
  try {
    if (body) yield* body as unknown as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (signal.aborted && signal.reason instanceof TsignError) throw signal.reason;
    const { code = "" } = cause as { code?: string };
    throw networkError(url, SAME.has(code) ? cause : Object.assign(new Error("malformed answer"), { cause, code }));
  } finally {
    discard(); // has no effect after the end of the body
  }
}
