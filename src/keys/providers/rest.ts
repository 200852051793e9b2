import { type ServiceName, TsignError } from "../../errors.ts";
import { decodeBase64 } from "../../format/base64.ts";
import { parseJson } from "../../format/json.ts";
import type { Io, TlsOptions } from "../../io/io.ts";
import { createTransport, type Exchange, type Transport } from "../../net/http.ts";

/** The largest answer of a key service. Bytes. */
const MAX_ANSWER = 4 * 1024 * 1024;

/** A service that speaks JSON over HTTP. */
export interface Service {
  readonly name: string;
  /** Ends without a slash. */
  readonly base: string;
  /** Lower-case names; credentials among them, which no error repeats. */
  readonly headers: Readonly<Record<string, string>>;
  readonly transport: Transport;
}

/** An answer, parsed; `body` is undefined when it was no JSON. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
  /** Where it came from. */
  readonly url: URL;
}

/** @throws TsignError "usage" for a base that is no http(s) URL, named by the variable it came from */
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
    throw new TsignError("usage", `${options.variable} is not an http address: ${options.base}`);
  }
  if (url.username || url.password) throw new TsignError("usage", `${options.variable} holds a password`);
  const transport = createTransport(io, {
    peer: { service: options.service, name: options.name },
    ...(options.tls ? { tls: options.tls } : {}),
  });
  return { name: options.name, base, headers: options.headers, transport };
}

/** One exchange; HTTP errors are returned. */
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
    { maxBytes: MAX_ANSWER },
  );
  const { status, url } = answer;
  try {
    return { status, url, body: parseJson(answer.bytes, `the answer of ${service.name}`) };
  } catch (cause) {
    if (status >= 300 || answer.bytes.length === 0) return { status, url, body: undefined };
    throw new TsignError("service", `${service.name} at ${url.origin} does not answer with sound JSON`, { cause, url });
  }
}

/** The text at a path of an answer, "" when there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = valueAt(value, ...path);
  return typeof found === "string" ? found : "";
}

/** The value at a path of an answer. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}

/** Bytes a service sent as base64. Throws TsignError "service" for what is none. */
export function bytesOf(service: string, base64: string): Uint8Array {
  const bytes = decodeBase64(base64);
  if (bytes && bytes.length > 0) return bytes;
  throw new TsignError("service", `${service} answered with something that is not base64`);
}
