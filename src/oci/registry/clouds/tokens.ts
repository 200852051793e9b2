import { TsignError } from "../../../errors.ts";
import type { TlsOptions } from "../../../io/io.ts";
import { type Answer, createTransport, type Transport } from "../../../net/http.ts";
import { isLoopback, isPrivateAddress } from "../../../net/proxy.ts";
import type { TransportIo } from "../../../net/retry.ts";
import { REGISTRY } from "../peer.ts";

const MAX_ANSWER = 1024 * 1024;
/** Limits of a token request. Milliseconds. */
const LIMITS = { answer: 10_000, idle: 10_000, body: 20_000, attempts: 3 };
/** Limits of the check whether there is a metadata server. */
const PROBE_LIMITS = { answer: 1_000, idle: 1_000, body: 1_000, attempts: 1 };

/** A request to a service that issues tokens. */
export interface TokenRequest {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** POST with `form` or `json` by default, else GET. */
  readonly method?: "GET" | "POST" | "PUT";
}

/** Creates the transport to a cloud's services. */
export function tokenTransport(io: TransportIo, tls: TlsOptions = {}): Transport {
  return createTransport(io, { tls, limits: LIMITS, peer: REGISTRY });
}

/**
 * Creates the transport to the machine's metadata server. It uses no proxy: the proxy's own metadata server might answer, and
 * the proxy would see the token.
 */
export function metadataTransport(io: TransportIo): Transport {
  return createTransport(direct(io), { limits: LIMITS, peer: REGISTRY });
}

/** Returns the metadata server's answer; undefined when there is none within a second. */
export async function probe(
  io: TransportIo,
  url: URL,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer | undefined> {
  try {
    const transport = createTransport(direct(io), { limits: PROBE_LIMITS, peer: REGISTRY });
    return await transport.read({ method: "GET", url, headers }, { maxBytes: MAX_ANSWER });
  } catch (error) {
    if (!(error instanceof TsignError) || io.signal.aborted) throw error;
    return undefined;
  }
}

function direct(io: TransportIo): TransportIo {
  return {
    http: (request) => io.http(request),
    sleep: (milliseconds, signal) => io.sleep(milliseconds, signal),
    now: () => io.now(),
    signal: io.signal,
    env: {},
  };
}

/**
 * Sends a request and returns the answer's text.
 *
 * @throws TsignError "auth" for any status but 200, with the host, the status and the service's error code; the rest of the
 * answer is not shown, because it may repeat secrets
 */
export async function askText(
  transport: Transport,
  { url, headers, form, json, method }: TokenRequest,
): Promise<string> {
  const text = form ? new URLSearchParams(form).toString() : json === undefined ? undefined : JSON.stringify(json);
  const type = form ? "application/x-www-form-urlencoded" : "application/json";
  const body = text === undefined ? undefined : Buffer.from(text);
  const answer = await transport.read(
    {
      method: method ?? (body ? "POST" : "GET"),
      url,
      headers: {
        accept: "application/json",
        ...headers,
        ...(body ? { "content-type": type, "content-length": String(body.length) } : {}),
      },
      ...(body ? { body } : {}),
    },
    { maxBytes: MAX_ANSWER },
  );
  const content = Buffer.from(answer.bytes).toString("utf8");
  if (answer.status === 200) return content;
  const code = errorCode(content);
  throw new TsignError("auth", `${url.host} returned ${answer.status}${code ? ` (${code})` : ""}`, {
    service: "registry",
    status: answer.status,
    url,
  });
}

/** Sends a request and returns the JSON object of the answer. */
export async function askJson(transport: Transport, request: TokenRequest): Promise<Record<string, unknown>> {
  return parseObject(await askText(transport, request), `answer from ${request.url.host}`);
}

/** Sends a request and returns a field of the JSON object of the answer. */
export async function askToken(transport: Transport, request: TokenRequest, field = "access_token"): Promise<string> {
  return textField(await askJson(transport, request), field, `answer from ${request.url.host}`);
}

/** Parses a JSON object. @throws TsignError "auth" */
export function parseObject(text: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // the parser's message would repeat a part of the text
  }
  throw new TsignError("auth", `parse ${where}: expected a JSON object`);
}

/** Returns a non-empty string field. @throws TsignError "auth" when it is missing, empty or not a string */
export function textField(value: Readonly<Record<string, unknown>>, field: string, where: string): string {
  const text = Object.hasOwn(value, field) ? value[field] : undefined;
  if (typeof text === "string" && text !== "") return text;
  throw new TsignError("auth", `parse ${where}: missing ${field}`);
}

/** Returns the error code of an OAuth 2, Entra, Google or Alibaba Cloud answer. */
function errorCode(text: string): string | undefined {
  const entra = /\bAADSTS\d{4,8}\b/.exec(text)?.[0];
  let code: unknown;
  try {
    const { error, Code } = JSON.parse(text) as { error?: unknown; Code?: unknown };
    code = (error as { status?: unknown } | undefined)?.status ?? error ?? Code;
  } catch {
    // not JSON; the status is enough for the message
  }
  const known = typeof code === "string" && /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(code) ? code : undefined;
  return known && entra ? `${known}, ${entra}` : (known ?? entra);
}

/**
 * Parses a URL that secrets may be sent to: https, or http on this machine and, with `machine`, at a private address of the
 * cloud's network.
 *
 * @param where the source of the URL, for the error
 * @throws TsignError "auth"
 */
export function secretUrl(address: string, where: string, options: { machine?: boolean } = {}): URL {
  const url = URL.parse(address);
  const near = url && (isLoopback(url.hostname) || (options.machine === true && isPrivateAddress(url.hostname)));
  if (url && (url.protocol === "https:" || (url.protocol === "http:" && near))) return url;
  throw new TsignError("auth", `${where} is not an https URL`);
}
