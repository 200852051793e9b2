import { TsignError } from "../../../errors.ts";
import type { TlsOptions } from "../../../io/io.ts";
import { type Answer, createTransport, type Transport } from "../../../net/http.ts";
import { isLoopback, isPrivateAddress } from "../../../net/proxy.ts";
import type { TransportIo } from "../../../net/retry.ts";
import { REGISTRY } from "../peer.ts";

const MAX_ANSWER = 1024 * 1024;
/** A token is a small thing that is made at once. Milliseconds. */
const LIMITS = { answer: 10_000, idle: 10_000, body: 20_000, attempts: 3 };
/** For finding out whether a machine has a metadata server at all. */
const PROBE_LIMITS = { answer: 1_000, idle: 1_000, body: 1_000, attempts: 1 };

/** A question to a service that issues tokens. */
export interface TokenRequest {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** When neither form nor json says it: GET, or POST and PUT with an empty body. */
  readonly method?: "GET" | "POST" | "PUT";
}

/** The way to a cloud's services. */
export function tokenTransport(io: TransportIo, tls: TlsOptions = {}): Transport {
  return createTransport(io, { tls, limits: LIMITS, peer: REGISTRY });
}

/**
 * The way to the metadata server of the machine. Never through a proxy: that is another machine, whose own metadata server
 * might answer, and who sees the token.
 */
export function metadataTransport(io: TransportIo): Transport {
  return createTransport(direct(io), { limits: LIMITS, peer: REGISTRY });
}

/** What a metadata server answers within a second; undefined where there is none. */
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
 * The text of an answer.
 *
 * @throws TsignError "auth" for any status but 200, with the host, the status and the service's code for what is wrong; more
 * of an answer might hold what was sent
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
  const said = Buffer.from(answer.bytes).toString("utf8");
  if (answer.status === 200) return said;
  const code = errorCode(said);
  throw new TsignError("auth", `${url.host} answered ${answer.status}${code ? ` (${code})` : ""}`, {
    service: "registry",
    status: answer.status,
    url,
  });
}

/** The same for an answer in JSON. */
export async function askJson(transport: Transport, request: TokenRequest): Promise<Record<string, unknown>> {
  return parseObject(await askText(transport, request), `the answer of ${request.url.host}`);
}

/** A token at a field of an answer in JSON. */
export async function askToken(transport: Transport, request: TokenRequest, field = "access_token"): Promise<string> {
  return textField(await askJson(transport, request), field, `the answer of ${request.url.host}`);
}

/** @throws TsignError "auth" for what is no JSON object */
export function parseObject(text: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // the parser's own words would repeat a part of it
  }
  throw new TsignError("auth", `${where} is not a JSON object`);
}

/** @throws TsignError "auth" for a field that is not there, no text or empty */
export function textField(value: Readonly<Record<string, unknown>>, field: string, where: string): string {
  const text = Object.hasOwn(value, field) ? value[field] : undefined;
  if (typeof text === "string" && text !== "") return text;
  throw new TsignError("auth", `${where} has no ${field}`);
}

/** The codes of OAuth 2, of Entra, of Google's and of Alibaba's services. */
function errorCode(text: string): string | undefined {
  const entra = /\bAADSTS\d{4,8}\b/.exec(text)?.[0];
  let code: unknown;
  try {
    const { error, Code } = JSON.parse(text) as { error?: unknown; Code?: unknown };
    code = (error as { status?: unknown } | undefined)?.status ?? error ?? Code;
  } catch {
    // a page for people: the status says enough
  }
  const known = typeof code === "string" && /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(code) ? code : undefined;
  return known && entra ? `${known}, ${entra}` : (known ?? entra);
}

/**
 * An address that secrets may be sent to: https, and http on this machine or, where `machine` says so, at an address of the
 * cloud's own network.
 *
 * @param where what names the address
 * @throws TsignError "auth"
 */
export function secretUrl(address: string, where: string, options: { machine?: boolean } = {}): URL {
  const url = URL.parse(address);
  const near = url && (isLoopback(url.hostname) || (options.machine === true && isPrivateAddress(url.hostname)));
  if (url && (url.protocol === "https:" || (url.protocol === "http:" && near))) return url;
  throw new TsignError("auth", `${where} is not an https address`);
}
