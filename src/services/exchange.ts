import { type ServiceName, TsignError } from "../errors.ts";
import { isObject, textOf } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { TlsOptions } from "../io/io.ts";
import { type Answer, createTransport, type Transport } from "../net/http.ts";
import type { TransportIo } from "../net/retry.ts";

/** Answers of Sigstore's services are small: certificates, log entries, timestamps. Bytes. */
const MAX_ANSWER = 8 * 1024 * 1024;
const MAX_REASON = 300;

/** A service that is spoken to over HTTP. */
export interface ServiceClient {
  readonly service: ServiceName;
  /** In messages: `Fulcio`. */
  readonly name: string;
  readonly url: URL;
  readonly transport: Transport;
}

const NAMES = { fulcio: "Fulcio", rekor: "Rekor", "timestamp-authority": "the timestamp authority" } as const;

/** @param options.tls for a service with a private authority or client certificates */
export function serviceClient(
  io: TransportIo,
  options: { service: keyof typeof NAMES; url: URL; tls?: TlsOptions | undefined },
): ServiceClient {
  const { service, url, tls } = options;
  const name = NAMES[service];
  return { service, name, url, transport: createTransport(io, { peer: { service, name }, ...(tls ? { tls } : {}) }) };
}

/** The URL of an API path under the service's own, whether that ends in a slash or not. */
export function apiUrl({ url }: ServiceClient, path: string): URL {
  const base = new URL(url);
  base.pathname = `${base.pathname.replace(/\/+$/, "")}${path}`;
  return base;
}

/** POSTs a document and returns the answer, whatever its status. */
export async function post(
  client: ServiceClient,
  by: { url: URL; body: Uint8Array; headers: Readonly<Record<string, string>> },
): Promise<Answer> {
  const { url, body } = by;
  const headers = { ...by.headers, "content-length": String(body.length) };
  return client.transport.read({ method: "POST", url, headers, body }, { maxBytes: MAX_ANSWER });
}

/** GETs a document and returns the answer, whatever its status. */
export async function get(client: ServiceClient, url: URL): Promise<Answer> {
  return client.transport.read(
    { method: "GET", url, headers: { accept: "application/json" } },
    { maxBytes: MAX_ANSWER },
  );
}

/**
 * The error for an answer with an unexpected HTTP status: "auth" for 401 and 403, else "service", with `service`, `status`
 * and `url`. The service's own words are quoted, without control characters; what was sent is not.
 */
export function refusal(client: ServiceClient, answer: Answer, hint?: string): TsignError {
  const reason = printable(reasonOf(answer)).slice(0, MAX_REASON);
  const said = reason === "" ? "" : `: ${reason}`;
  const code = answer.status === 401 || answer.status === 403 ? "auth" : "service";
  return new TsignError(code, `${client.name} at ${client.url.host} answered ${answer.status}${said}`, {
    hint,
    service: client.service,
    status: answer.status,
    url: answer.url,
  });
}

/**
 * The error for an answer whose content is not what was asked for: "service", with `service` and `url`.
 *
 * @param fault a predicate: `answered without a certificate`
 */
export function wrongAnswer({ service, name, url }: ServiceClient, fault: string): TsignError {
  return new TsignError("service", `${name} at ${url.host} ${fault}`, { service, url });
}

/** Of either kind of Rekor. */
export const NO_LOG_ENTRY = "answered with something that is no log entry";

/** The `message` of a JSON answer, else its text. */
function reasonOf({ bytes }: Answer): string {
  const text = Buffer.from(bytes.subarray(0, 4096)).toString("utf8").trim();
  try {
    const json: unknown = JSON.parse(text);
    if (isObject(json) && "message" in json) return textOf(json["message"]);
  } catch {
    // it is plain text
  }
  return text.replaceAll(/\s+/g, " ");
}
