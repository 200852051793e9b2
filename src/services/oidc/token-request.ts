import { TsignError } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import { createTransport } from "../../net/http.ts";
import type { TransportIo } from "../../net/retry.ts";
import { parseResponse } from "../response-json.ts";

/** The I/O that ambient providers use. */
export type AmbientIo = TransportIo & Pick<Io, "files" | "unixCall" | "platform">;

/** Bytes of the largest token, and of the largest response with one. */
export const MAX_TOKEN = 1024 * 1024;

/**
 * Requests a token from a service. Errors contain neither the secrets of the request nor the response.
 *
 * @returns the token
 * @throws TsignError "auth" for a refusal, "service" for status 5xx and for a response that is not JSON, and what
 *   the transport throws
 */
export async function fetchToken(
  io: TransportIo,
  request: {
    service: string;
    method: "GET" | "POST";
    url: URL;
    headers: Readonly<Record<string, string>>;
    body?: unknown;
    /** The field of the JSON response; undefined if the response is the token. */
    field: string | undefined;
    /** What to do after a refusal. */
    hint?: string;
  },
): Promise<string> {
  const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
  const sent = body ? { "content-type": "application/json", "content-length": String(body.length) } : {};
  const answer = await createTransport(io, {
    peer: { service: "oidc", name: request.service },
    limits: { attempts: 3 },
  }).read(
    { method: request.method, url: request.url, headers: { ...request.headers, ...sent }, ...(body ? { body } : {}) },
    { maxBytes: MAX_TOKEN },
  );
  if (answer.status !== 200 && answer.status !== 201) {
    const code = answer.status >= 500 ? "service" : "auth";
    throw new TsignError(code, `${request.service} returned ${answer.status}: cannot get an identity token`, {
      hint: request.hint,
      service: "oidc",
      status: answer.status,
      url: answer.url,
    });
  }
  const text = Buffer.from(answer.bytes).toString("utf8").trim();
  if (request.field === undefined) return text;
  const json = parseResponse(answer.bytes, `response of ${request.service}`, { service: "oidc", url: request.url });
  const token = isObject(json) ? json[request.field] : undefined;
  if (typeof token !== "string") {
    const fields = { service: "oidc", url: request.url } as const;
    throw new TsignError("auth", `${request.service} returned no identity token`, fields);
  }
  return token;
}

/**
 * Returns a secret from the environment for use in a header, without surrounding white space and line breaks.
 *
 * @throws TsignError "auth" if it is missing or not valid in a header; the message does not contain the value
 */
export function credential(io: Pick<Io, "env">, variable: string): string {
  const value = (io.env[variable] ?? "").trim();
  if (/^[\x21-\x7e]+$/.test(value)) return value;
  const reason = /[\r\n]/.test(value)
    ? "contains a line break"
    : "contains white space or characters that are not ASCII";
  throw new TsignError("auth", `${variable} ${value === "" ? "is not set" : reason}`, {
    hint: "set it to the token only, on one line",
  });
}

/** Parses an http(s) URL from a variable. @throws TsignError "auth" with the name of the variable */
export function parseAddress(text: string, variable: string): URL {
  const url = /\p{Cc}/u.test(text.trim()) ? null : URL.parse(text.trim());
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  throw new TsignError("auth", `${variable} is not an http(s) URL`, {
    hint: "set it to a complete URL on one line",
  });
}
