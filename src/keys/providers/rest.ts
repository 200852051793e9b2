import { type ServiceName, TsignError } from "../../errors.ts";
import { decodeBase64 } from "../../format/base64.ts";
import { parseJson } from "../../format/json.ts";
import type { Io, TlsOptions } from "../../io/io.ts";
import { createTransport, type Exchange, type Transport } from "../../net/http.ts";

/** Bytes of the largest response of a key service. */
const MAX_RESPONSE = 4 * 1024 * 1024;

/** A service with a JSON API over HTTP. */
export interface Service {
  readonly name: string;
  /** Ends without a slash. */
  readonly base: string;
  /** Lower-case names. They include credentials, which are never part of an error. */
  readonly headers: Readonly<Record<string, string>>;
  readonly transport: Transport;
}

/** A response; `body` is the parsed JSON, undefined for an empty body or an error status without JSON. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
  /** The URL that responded. */
  readonly url: URL;
}

/**
 * Opens a service; nothing is sent yet.
 *
 * @param options.variable where `base` comes from, for errors
 * @throws TsignError "usage" for a base that is not an http(s) URL, or that contains a password
 */
export function createService(
  io: Io,
  options: {
    service: ServiceName;
    name: string;
    base: string;
    variable: string;
    headers: Record<string, string>;
    tls?: TlsOptions | undefined;
  },
): Service {
  const base = options.base.replace(/\/+$/, "");
  const url = URL.parse(base);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new TsignError("usage", `invalid ${options.variable}: not an http(s) URL: ${options.base}`);
  }
  if (url.username || url.password)
    throw new TsignError("usage", `invalid ${options.variable}: the URL contains a password`);
  const transport = createTransport(io, {
    peer: { service: options.service, name: options.name },
    ...(options.tls ? { tls: options.tls } : {}),
  });
  return { name: options.name, base, headers: options.headers, transport };
}

/** Sends one request and returns the response, whatever its status. @throws TsignError "service" for a success that is not JSON */
export async function ask(
  service: Service,
  exchange: { method?: Exchange["method"]; path: string; json?: unknown },
): Promise<Reply> {
  const { method = exchange.json === undefined ? "GET" : "POST", path, json } = exchange;
  const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
  const answer = await service.transport.read(
    {
      method,
      url: new URL(`${service.base}${path}`),
      headers: {
        ...service.headers,
        accept: "application/json",
        ...(body ? { "content-type": "application/json", "content-length": String(body.length) } : {}),
      },
      ...(body ? { body } : {}),
    },
    { maxBytes: MAX_RESPONSE },
  );
  const { status, url } = answer;
  try {
    return { status, url, body: parseJson(answer.bytes, `response of ${service.name}`) };
  } catch (cause) {
    if (status >= 300 || answer.bytes.length === 0) return { status, url, body: undefined };
    throw new TsignError("service", `${service.name} (${url.origin}) returned invalid JSON`, { cause, url });
  }
}

/** Builds the error for status 429 after the transport's retries. @param detail appended to the message */
export function rateLimited({ name, base }: Service, detail = ""): TsignError {
  return new TsignError(
    "service",
    `${name} (${base}) still limits the request rate (429) after several attempts${detail}`,
  );
}

/** Returns the string at a path of a response, "" for anything else. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : "";
}

/** Returns the value at a path of a response. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}

/** Decodes base64 from a service. @throws TsignError "service" for invalid or empty base64 */
export function bytesOf(service: string, base64: string): Uint8Array {
  const bytes = decodeBase64(base64);
  if (bytes && bytes.length > 0) return bytes;
  throw new TsignError("service", `${service} returned invalid base64`);
}
