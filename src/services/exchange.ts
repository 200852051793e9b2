import { type ServiceName, TsignError } from "../errors.ts";
import { isObject, textOf } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { TlsOptions } from "../io/io.ts";
import { type Answer, createTransport, type Transport } from "../net/http.ts";
import type { TransportIo } from "../net/retry.ts";
import { parseResponse } from "./response-json.ts";

/** Bytes of the largest response of a Sigstore service. */
const MAX_RESPONSE = 8 * 1024 * 1024;
const MAX_REASON = 300;

/** A service with an HTTP API. */
export interface ServiceClient {
  readonly service: ServiceName;
  /** Name for messages: `Fulcio`. */
  readonly name: string;
  readonly url: URL;
  readonly transport: Transport;
}

const NAMES = {
  fulcio: "Fulcio",
  rekor: "Rekor",
  "timestamp-authority": "the timestamp authority",
  ct: "the CT log",
} as const;

/** Returns a client. @param options.tls for a service with a private CA or client certificates */
export function serviceClient(
  io: TransportIo,
  options: { service: keyof typeof NAMES; url: URL; tls?: TlsOptions | undefined },
): ServiceClient {
  const { service, url, tls } = options;
  const name = NAMES[service];
  return { service, name, url, transport: createTransport(io, { peer: { service, name }, ...(tls ? { tls } : {}) }) };
}

/** Returns the URL of an API path below the service's URL, with or without a final slash. */
export function apiUrl({ url }: ServiceClient, path: string): URL {
  const base = new URL(url);
  base.pathname = `${base.pathname.replace(/\/+$/, "")}${path}`;
  return base;
}

/** Sends a POST request and returns the response, whatever its status. */
export async function post(
  client: ServiceClient,
  request: { url: URL; body: Uint8Array; headers: Readonly<Record<string, string>>; maxBytes?: number | undefined },
): Promise<Answer> {
  const { url, body, maxBytes = MAX_RESPONSE } = request;
  const headers = { ...request.headers, "content-length": String(body.length) };
  return client.transport.read({ method: "POST", url, headers, body }, { maxBytes });
}

/**
 * Sends a POST request with a JSON document to an API path, and returns the response, whatever its status.
 *
 * @param request.headers more headers, with lower-case names
 * @param request.maxBytes of the response
 */
export function postJson(
  client: ServiceClient,
  path: string,
  request: { document: unknown; headers?: Readonly<Record<string, string>>; maxBytes?: number | undefined },
): Promise<Answer> {
  const { document, headers = {}, maxBytes } = request;
  return post(client, {
    maxBytes,
    url: apiUrl(client, path),
    headers: { ...headers, "content-type": "application/json", accept: "application/json" },
    body: Buffer.from(JSON.stringify(document)),
  });
}

/**
 * Sends a GET request and returns the response, whatever its status.
 *
 * @param options.accept the media type to ask for
 * @param options.maxBytes of the response
 */
export async function get(
  client: ServiceClient,
  url: URL,
  { accept = "application/json", maxBytes = MAX_RESPONSE }: { accept?: string; maxBytes?: number } = {},
): Promise<Answer> {
  return client.transport.read({ method: "GET", url, headers: { accept } }, { maxBytes });
}

/**
 * Builds the error for an unexpected HTTP status: "auth" for 401 and 403, else "service", with `service`, `status` and `url`.
 * The message includes the service's own message without control characters, and nothing of the request.
 *
 * @param hint what to do; by default it depends on the status
 */
export function refusal(client: ServiceClient, answer: Answer, hint?: string): TsignError {
  const reason = printable(reasonOf(answer)).slice(0, MAX_REASON);
  const detail = reason === "" ? "" : `: ${reason}`;
  const code = answer.status === 401 || answer.status === 403 ? "auth" : "service";
  return new TsignError(code, `${client.name} (${client.url.host}) returned ${answer.status}${detail}`, {
    hint: hint ?? hintFor(answer.status),
    service: client.service,
    status: answer.status,
    url: answer.url,
  });
}

/**
 * Builds the error for a response with unexpected content: "service", with `service` and `url`.
 *
 * @param fault a predicate: `returned no certificate`
 */
export function wrongAnswer({ service, name, url }: ServiceClient, fault: string): TsignError {
  return new TsignError("service", `${name} (${url.host}) ${fault}`, {
    hint: `check that ${url.origin} is the address of ${name}, and that no proxy changes its responses`,
    service,
    url,
  });
}

/** Parses the JSON of a service's response. @throws TsignError "service" for another text */
export function jsonOf({ service, name, url }: ServiceClient, bytes: Uint8Array): unknown {
  return parseResponse(bytes, `response of ${name} (${url.host})`, { service, url });
}

/** The fault of a response of Rekor v1 or v2, for `wrongAnswer`. */
export const INVALID_ENTRY = "returned an invalid log entry";

function hintFor(status: number): string | undefined {
  if (status === 429) return "try again later; the service limits the request rate";
  return status >= 500 ? "try again later; the service has a problem" : undefined;
}

/** Returns the `message` of a JSON response, else its text. */
function reasonOf({ bytes }: Answer): string {
  const text = Buffer.from(bytes.subarray(0, 4096)).toString("utf8").trim();
  try {
    const json: unknown = JSON.parse(text);
    if (isObject(json) && "message" in json) return textOf(json["message"]);
  } catch {
    // not JSON: plain text
  }
  return text.replaceAll(/\s+/g, " ");
}
