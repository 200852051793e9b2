import { TsignError } from "../../errors.ts";
import { isObject, parseJson } from "../../format/json.ts";
import type { Io } from "../../io/io.ts";
import { createTransport } from "../../net/http.ts";
import type { TransportIo } from "../../net/retry.ts";

/** What looking for a token takes of the outside world. */
export type AmbientIo = TransportIo & Pick<Io, "files" | "unixCall" | "platform">;

/** Bytes of the largest token or answer that holds one. */
export const MAX_TOKEN = 1024 * 1024;

/**
 * Asks a service for a token and takes it out of its JSON answer. Neither the request's secrets nor the answer are quoted.
 *
 * @throws TsignError "auth" when it refuses, "service" when it fails (5xx), "bad-bundle" for an answer that is not JSON, and
 *   what the transport throws
 */
export async function fetchToken(
  io: TransportIo,
  request: {
    service: string;
    method: "GET" | "POST";
    url: URL;
    headers: Readonly<Record<string, string>>;
    body?: unknown;
    /** Where in the JSON it is; undefined when the answer is the token. */
    field: string | undefined;
    /** What to do when it refuses. */
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
    throw new TsignError(code, `${request.service} answered ${answer.status} when asked for an identity token`, {
      hint: request.hint,
      service: "oidc",
      status: answer.status,
      url: answer.url,
    });
  }
  const text = Buffer.from(answer.bytes).toString("utf8").trim();
  if (request.field === undefined) return text;
  const json = parseJson(answer.bytes, `the answer of ${request.service}`);
  const token = isObject(json) ? json[request.field] : undefined;
  if (typeof token !== "string") {
    const fields = { service: "oidc", url: request.url } as const;
    throw new TsignError("auth", `${request.service} answered without an identity token`, fields);
  }
  return token;
}

/**
 * A secret of the environment as a header can carry it: white space and line ends around it are left out.
 *
 * @throws TsignError "auth" for one that no header can hold; the value is not named
 */
export function credential(io: Pick<Io, "env">, variable: string): string {
  const value = (io.env[variable] ?? "").trim();
  if (/^[\x21-\x7e]+$/.test(value)) return value;
  const reason = /[\r\n]/.test(value) ? "holds a line end" : "holds white space or characters that are not ASCII";
  throw new TsignError("auth", `${variable} ${value === "" ? "is not set" : reason}`, {
    hint: "set it to the token alone, on one line",
  });
}

/** @throws TsignError "auth" naming the variable */
export function parseAddress(text: string, variable: string): URL {
  const url = /\p{Cc}/u.test(text.trim()) ? null : URL.parse(text.trim());
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  throw new TsignError("auth", `${variable} is not an http(s) URL`, { hint: "it holds something else, or a line end" });
}
