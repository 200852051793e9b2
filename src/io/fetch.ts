import { TsignError } from "../errors.ts";
import { once } from "../format/once.ts";
import { systemAuthorities } from "./authorities.ts";
import { withSmallBody } from "./fetch-body.ts";
import { openSentFile, type SentFile } from "./fetch-file.ts";
import { networkError } from "./http-errors.ts";
import type { HttpRequest, HttpResponse } from "./io.ts";

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

/** Errors of fetch from before the request is sent. */
const NOT_SENT = /^(CERT_|DEPTH_|ERR_TLS_CERT_|SELF_SIGNED_|UNABLE_TO_|INVALID_PURPOSE$|EPROTO$|FailedToOpenSocket$)/;

/** Errors of the system call that sends a file. EPIPE is the server's: it has closed the connection. */
const OF_FILE = /^E(?!PIPE$)[A-Z0-9]+$/;

/** Origins of servers with which fetch has failed. */
const unusual = new Set<string>();

/**
 * Sends one HTTP request (Io.http) by Bun's own fetch, which needs a quarter of the time of node:http on Bun. It serves requests
 * without a proxy whose body is small or a file, and usual responses. In other cases (a certificate that it does not accept, a header
 * that occurs twice) the request is sent again by node:http, whose result counts, unless that could change something twice.
 * test/support/transport-cases.ts compares the two.
 */
export async function exchangeOnBun(given: HttpRequest): Promise<HttpResponse> {
  const { url, signal } = given;
  const tls = canFetch(given) && !unusual.has(url.origin) ? tlsOf(given) : undefined;
  const file = tls && openSentFile(given);
  const small = tls && !file ? await withSmallBody(given) : undefined;
  const request = small ?? given;
  const byNode = async () => (await loadHttp()).exchange(request);
  if (tls === undefined || !(file || small)) return byNode();
  const stop = new AbortController();
  let response: Response;
  try {
    const sent = fetch(url, optionsOf(request, { tls, file, signal: AbortSignal.any([signal, stop.signal]) }));
    response = await (file ? file.whileUnchanged(sent, stop) : sent);
  } catch (cause) {
    if (signal.aborted) throw signal.reason instanceof TsignError ? signal.reason : networkError(url, cause);
    if (cause instanceof TsignError) throw cause;
    const { code = "" } = cause as { code?: string };
    if (SAME.has(code)) throw networkError(url, cause);
    if (file && code === "EPIPE") throw networkError(url, { code: "ECONNRESET", cause });
    if (file && OF_FILE.test(code)) return byNode();
    if (!onlyReads(request) && !NOT_SENT.test(code)) throw malformed(url, cause);
    unusual.add(url.origin);
    return byNode();
  }
  const { headers, isUsual, isValid } = headersOf(response);
  if (!isValid || (!isUsual && onlyReads(request))) {
    stop.abort();
    if (onlyReads(request)) return byNode();
    throw malformed(url, new Error("invalid header"));
  }
  const discard = () => stop.abort();
  return { status: response.status, headers, body: bodyOf(response, { url, signal, discard }), discard };
}

/** fetch also reads files and data URLs. */
const PROTOCOLS = new Set(["http:", "https:"]);

/** Headers of the connection: fetch would compare the server's certificate with the name in Host. */
const OF_CONNECTION = ["host", "connection", "transfer-encoding", "expect", "upgrade"];

/**
 * Whether fetch sends exactly this request: it adds a user-agent and accept where there are none, and may send a request that only
 * reads again when a connection that was used before is closed.
 */
function canFetch({ url, headers, proxy }: HttpRequest): boolean {
  const isComplete = headers["user-agent"] !== undefined && headers["accept"] !== undefined;
  const isUsual = isComplete && !OF_CONNECTION.some((name) => name in headers);
  const isPlain = PROTOCOLS.has(url.protocol) && url.username === "" && url.password === "";
  return isUsual && isPlain && proxy === undefined;
}

/** Whether a request changes nothing and may be sent again (RFC 9110 §9.2.1). */
const onlyReads = ({ method }: HttpRequest) => method === "GET" || method === "HEAD";

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
function optionsOf(
  { method, headers, body }: HttpRequest,
  { tls, file, signal }: { tls: object; file: SentFile | undefined; signal: AbortSignal },
): RequestInit {
  const ofBun = { decompress: false, proxy: false, timeout: false, verbose: false, ...tls };
  const bytes = body instanceof Uint8Array ? { body: body as Uint8Array<ArrayBuffer> } : {};
  // On a connection of its own fetch does not send the rest of a file again, and what follows an early answer is not a request.
  const content = file ? { body: file.content, keepalive: false } : bytes;
  return { method, headers, ...content, signal, redirect: "manual", ...ofBun };
}

/** Of these headers, the first counts in node:http. fetch joins them. */
const SINGLE = ["content-type", "etag", "location", "retry-after"];

/** node:http's limit for a header is 16 KiB, with the status line. */
const MAX_HEADER = 15 * 1024;

/** Returns the headers, whether node:http reads them in the same way, and whether it takes them at all. */
function headersOf(response: Response): { headers: Record<string, string>; isUsual: boolean; isValid: boolean } {
  const headers: Record<string, string> = {};
  let size = 0;
  for (const [name, value] of response.headers) {
    size += name.length + value.length + 4;
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const twoSizes = "content-length" in headers && "transfer-encoding" in headers;
  const isUsual = !SINGLE.some((name) => headers[name]?.includes(","));
  return { headers, isUsual, isValid: size <= MAX_HEADER && !twoSizes };
}

const malformed = (url: URL, cause: unknown) =>
  networkError(url, Object.assign(new Error("malformed answer"), { cause }));

async function* bodyOf(
  { body }: Response,
  { url, signal, discard }: { url: URL; signal: AbortSignal; discard: () => void },
): AsyncIterable<Uint8Array> {
  try {
    if (body) yield* body as unknown as AsyncIterable<Uint8Array>;
  } catch (cause) {
    if (signal.aborted && signal.reason instanceof TsignError) throw signal.reason;
    const { code = "" } = cause as { code?: string };
    throw SAME.has(code) ? networkError(url, cause) : malformed(url, cause);
  } finally {
    discard(); // has no effect after the end of the body
  }
}
