import { TsignError } from "../../errors.ts";
import type { HttpResponse, Io, TlsOptions } from "../../io/io.ts";
import { type Answer, createTransport, type Exchange, type Transport } from "../../net/http.ts";
import { bareHost, isRfc1918 } from "../../net/proxy.ts";
import type { Repository } from "../ref.ts";
import { type Authorization, authenticate } from "./auth.ts";
import type { Credentials } from "./keychain.ts";
import { REGISTRY } from "./peer.ts";

/** What may be done with the repository; a token is asked for as much and no more. */
export type Action = "pull" | "push" | "delete";

export interface SessionOptions {
  readonly io: Io;
  readonly repository: Repository;
  readonly tls: TlsOptions;
  /** Plain http is allowed whatever the host. */
  readonly allowHttp: boolean;
  /** Asked for when the registry first challenges, with the origin it answered from. */
  readonly credentials: (origin: URL) => Promise<Credentials>;
}

/** A request of the distribution protocol: a path of the registry (or a URL it named), and what it is for. */
export interface RegistryRequest {
  readonly method: Exchange["method"];
  /** `/v2/…`, or an absolute URL of an upload. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Exchange["body"];
  readonly followRedirects?: boolean;
  readonly action: Action;
}

const MAX_ERROR_BODY = 64 * 1024;
/** Asking whether a server speaks TLS, once. */
const PROBE_LIMITS = { answer: 10_000, attempts: 1 };

/**
 * A connection to one repository: it finds out the scheme, answers challenges, remembers tokens, and sends them to the
 * registry's own origin alone.
 */
export class RegistrySession {
  readonly #options: SessionOptions;
  readonly #transport: Transport;
  readonly #authorizations = new Map<string, Authorization>();
  #origin: Promise<URL> | undefined;
  #challenge: string | undefined;
  #credentials: Promise<Credentials> | undefined;
  /** What the credentials in use have to say for themselves. */
  #note: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#transport = createTransport(options.io, { tls: options.tls, peer: REGISTRY });
  }

  /** Sends a request and reads the answer, at most `maxBytes` long. Statuses are the caller's to judge. */
  async read(request: RegistryRequest, maxBytes: number): Promise<Answer> {
    const limit = Math.max(maxBytes, MAX_ERROR_BODY);
    return this.#authorized(request, (exchange) => this.#transport.read(exchange, { maxBytes: limit }));
  }

  /** The same with the answer's body as a stream. */
  async stream(request: RegistryRequest): Promise<HttpResponse & { url: URL }> {
    return this.#authorized(request, (exchange) => this.#transport.stream(exchange));
  }

  /**
   * What the registry's refusal means, with its own words cleaned of control characters.
   *
   * @param what the action and its object, e.g. `push registry/repo:tag`
   */
  refusal(answer: { status: number; bytes?: Uint8Array; url?: URL }, what: string): TsignError {
    const { registry } = this.#options.repository;
    const said = registryMessage(answer.bytes);
    const message = `${registry} answered ${answer.status} to: ${what}${said ? ` (${said})` : ""}`;
    const fields = { service: "registry", status: answer.status, url: answer.url } as const;
    if (answer.status !== 401 && answer.status !== 403) {
      const busy = answer.status === 429 || answer.status >= 500;
      const hint = busy ? "try again later: the registry cannot answer now" : undefined;
      return new TsignError("registry", message, { hint, ...fields });
    }
    const hint = this.#note ?? `check the rights, or log in: tsign login ${registry}`;
    return new TsignError("auth", message, { hint, ...fields });
  }

  /** The same of an answer whose body is a stream, which is closed. */
  async streamRefusal(response: HttpResponse & { url: URL }, what: string): Promise<TsignError> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const piece of response.body) {
        size += piece.length;
        if (size > MAX_ERROR_BODY) break;
        pieces.push(piece);
      }
    } catch {
      // the status says enough
    }
    response.discard();
    return this.refusal({ ...response, bytes: Buffer.concat(pieces) }, what);
  }

  async #authorized<T extends { status: number; headers: Readonly<Record<string, string>>; url: URL }>(
    request: RegistryRequest,
    send: (exchange: Exchange) => Promise<T>,
  ): Promise<T> {
    const origin = await this.#findOrigin();
    const url = new URL(request.path, origin);
    const own = url.origin === origin.origin;
    const attempt = async () => {
      const authorization = own && this.#challenge ? await this.#authorize(request.action, origin) : undefined;
      const headers = { ...request.headers, ...(authorization ? { authorization } : {}) };
      const { method, body, followRedirects = false } = request;
      return send({ method, url, headers, followRedirects, ...(body ? { body } : {}) });
    };
    const first = await attempt();
    const challenge = first.headers["www-authenticate"];
    // Only the registry itself may ask for credentials, not a host it redirected to.
    if (first.status !== 401 || first.url.origin !== origin.origin || challenge === undefined) return first;
    if ("discard" in first && typeof first.discard === "function") first.discard();
    this.#challenge = challenge;
    this.#authorizations.clear();
    return attempt();
  }

  async #authorize(action: Action, origin: URL): Promise<string> {
    const { io, repository } = this.#options;
    const actions = action === "pull" ? "pull" : `pull,${action}`;
    // A login is for no repository, and asks for no rights.
    const scope = repository.repository === "" ? "" : `repository:${repository.repository}:${actions}`;
    const now = io.now().getTime();
    const known = this.#authorizations.get(scope);
    if (known && (known.expires === undefined || known.expires > now)) return known.header;
    this.#credentials ??= this.#options.credentials(origin);
    const credentials = await this.#credentials;
    this.#note = credentials.note;
    const fresh = await authenticate({
      io,
      tls: this.#options.tls,
      repository,
      credentials,
      challenge: this.#challenge ?? "",
      origin,
      scope,
      now,
    });
    this.#authorizations.set(scope, fresh);
    return fresh.header;
  }

  /**
   * https, but for hosts on this machine or a private network, and where http was allowed: there https is tried first, and
   * http when what answers does not speak TLS (go-containerregistry, pkg/name and transport/ping.go).
   */
  #findOrigin(): Promise<URL> {
    this.#origin ??= this.#probeOrigin();
    return this.#origin;
  }

  async #probeOrigin(): Promise<URL> {
    const { registry } = this.#options.repository;
    const host = registry === "index.docker.io" ? "registry-1.docker.io" : registry;
    const secure = new URL(`https://${host}`);
    const { hostname } = secure;
    if (!this.#options.allowHttp && !isHttpHost(hostname)) return secure;
    return (await speaksTls(this.#options, secure)) ? secure : new URL(`http://${host}`);
  }
}

/** Where go-containerregistry may use http without being told: not the whole loopback network, but its usual addresses. */
function isHttpHost(hostname: string): boolean {
  const host = bareHost(hostname);
  const named = host === "localhost" || host.endsWith(".localhost") || host === "127.0.0.1" || host === "::1";
  return named || isRfc1918(host);
}

/** Nothing listens for TLS there, hangs up on it, or is let through by the proxy. */
const NO_ANSWER = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "ERR_PROXY_TUNNEL",
  "ETIMEDOUT",
]);

/** Whether a server answers over TLS at all; one that talks TLS and is refused, or refuses us, is never asked over http. */
async function speaksTls({ io, tls }: SessionOptions, url: URL): Promise<boolean> {
  const transport = createTransport(io, { tls, limits: PROBE_LIMITS, peer: REGISTRY });
  try {
    await transport.read({ method: "HEAD", url: new URL("/v2/", url) }, { maxBytes: 0 });
    return true;
  } catch (error) {
    if (io.signal.aborted) throw io.signal.reason;
    if (!(error instanceof TsignError)) throw error;
    return error.code !== "timeout" && !isNotTls(error.cause);
  }
}

/** An alert is TLS; an answer that OpenSSL cannot make sense of is not. */
function isNotTls(cause: unknown): boolean {
  const {
    code = "",
    errors,
    message = "",
  } = (cause ?? {}) as {
    code?: string;
    errors?: { code?: string }[];
    message?: string;
  };
  if (code === "EPROTO") return !/\balert\b/.test(message);
  const known = code || (errors?.[0]?.code ?? "");
  return NO_ANSWER.has(known) || /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/.test(known);
}

function registryMessage(bytes: Uint8Array | undefined): string {
  const text = Buffer.from(bytes ?? []).toString("utf8");
  let said = "";
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: string; message?: string }[] };
    said = (errors ?? []).map((error) => [error.code, error.message].filter(Boolean).join(": ")).join("; ");
  } catch {
    // not the registry's JSON: its status says enough
  }
  return said.replace(/[\p{Cc}\p{Cf}]+/gu, " ").slice(0, 300);
}
