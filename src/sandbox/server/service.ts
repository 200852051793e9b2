import type { ServerResponse } from "../../io/io.ts";
import type { FaultSwitches } from "./faults.ts";
import type { ServiceName } from "./names.ts";

/** A request with its whole body. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Values of the route's `:name` parameters; `*name` is the rest of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** The faults of this request. */
  readonly faults: FaultSwitches;
}

export type Handle = (call: Call) => ServerResponse | Promise<ServerResponse>;

/** A service: a table of `METHOD /path/:name` and handlers, callable without a socket. */
export interface Service {
  readonly name: ServiceName;
  readonly routes: Readonly<Record<string, Handle>>;
  /** Size limit of a request body, in bytes. */
  readonly maxBody: number;
  /** Writes an error in the service's own form; `headers` are those of the request, with lower-case names. */
  failure(status: number, message: string, headers: Readonly<Record<string, string>>): ServerResponse;
}

/** Thrown by a service that refuses a request. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** Builds an answer with its length and type. */
export function answer(
  body: string | Uint8Array,
  options: { status?: number; type: string; headers?: Record<string, string> },
): ServerResponse {
  const { status = 200, type, headers = {} } = options;
  const length = String(Buffer.byteLength(body));
  return { status, headers: { "content-type": type, "content-length": length, ...headers }, body };
}

/** Builds a JSON answer. */
export function json(
  value: unknown,
  options: { status?: number; headers?: Record<string, string> } = {},
): ServerResponse {
  return answer(JSON.stringify(value), { type: "application/json", ...options });
}

/** Returns the string at a dotted path of a JSON value. @throws Refused 400 when it is missing or not a string */
export function textAt(value: unknown, path: string): string {
  const found = valueAt(value, path);
  if (typeof found !== "string" || found === "") throw new Refused(400, `${path} is required`);
  return found;
}

/** Returns the value at a dotted path of a JSON value; undefined when there is none. */
export function valueAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => {
    const known = typeof at === "object" && at !== null && Object.hasOwn(at, key);
    return known ? (at as Record<string, unknown>)[key] : undefined;
  }, value);
}

/** Returns the list at a dotted path of a JSON value; empty when there is none. */
export function listAt(value: unknown, path: string): unknown[] {
  const found = valueAt(value, path);
  return Array.isArray(found) ? found : [];
}

/** Decodes standard base64. @param field its name in errors @throws Refused 400 for invalid base64 */
export function bytesOf(text: string, field: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length === 0 || bytes.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, "")) {
    throw new Refused(400, `${field}: invalid base64`);
  }
  return bytes;
}

/** Parses a request's JSON body. @throws Refused 400 for invalid JSON */
export function jsonOf(call: Call): unknown {
  try {
    return JSON.parse(call.body.toString("utf8"));
  } catch {
    throw new Refused(400, "parse request: invalid JSON");
  }
}
