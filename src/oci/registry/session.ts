import { TsignError } from "../../errors.ts";
import type { HttpResponse, Io, TlsOptions } from "../../io/io.ts";
import { type Answer, createTransport, type Exchange, type Transport } from "../../net/http.ts";
import type { Repository } from "../ref.ts";
import { type Authorization, authenticate } from "./auth.ts";
import type { Credentials } from "./keychain.ts";
import { registryMessage } from "./message.ts";
import { findOrigin } from "./origin.ts";
import { REGISTRY } from "./peer.ts";
import { shared } from "./shared.ts";

/** What a request does with the repository. A token is requested for these rights only. */
type Action = "pull" | "push" | "delete";

export interface SessionOptions {
  readonly io: Io;
  readonly repository: Repository;
  readonly tls: TlsOptions;
  /** Allows plain http for any host. */
  readonly allowHttp: boolean;
  /** Called at the registry's first challenge, with the registry's origin. */
  readonly credentials: (origin: URL) => Promise<Credentials>;
  /** Origins by registry, shared with the sessions of other repositories. */
  readonly origins?: Map<string, Promise<URL>> | undefined;
}

/** A request of the distribution protocol. */
export interface RegistryRequest {
  readonly method: Exchange["method"];
  /** `/v2/…`, or the absolute URL of an upload. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Exchange["body"];
  readonly file?: Exchange["file"];
  readonly followRedirects?: boolean;
  readonly action: Action;
  /** Path of another repository of the registry that the request reads, so that the token must be valid for it, too. */
  readonly alsoReads?: string;
}

/** An authorization, and how many requests have used it. */
interface Shared extends Authorization {
  uses: number;
}

const MAX_ERROR_BODY = 64 * 1024;

/**
 * A connection to one repository. It determines the scheme, answers challenges, and keeps tokens, which it sends to the
 * registry's own origin only.
 */
export class RegistrySession {
  readonly #options: SessionOptions;
  readonly #transport: Transport;
  /** By scope; requested once, however many requests wait for it. */
  readonly #authorizations = new Map<string, Promise<Shared>>();
  readonly #origins: Map<string, Promise<URL>>;
  #challenge: string | undefined;
  #credentials: Promise<Credentials> | undefined;
  /** The note of the credentials in use. */
  #note: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#origins = options.origins ?? new Map();
    this.#transport = createTransport(options.io, { tls: options.tls, peer: REGISTRY });
  }

  /** Sends a request and reads the answer, at most `maxBytes` long. Any status is returned. */
  async read(request: RegistryRequest, maxBytes: number): Promise<Answer> {
    const limit = Math.max(maxBytes, MAX_ERROR_BODY);
    return this.#authorized(request, (exchange) => this.#transport.read(exchange, { maxBytes: limit }));
  }

  /** Sends a request and returns the answer with its body as a stream. Any status is returned. */
  async stream(request: RegistryRequest): Promise<HttpResponse & { url: URL }> {
    return this.#authorized(request, (exchange) => this.#transport.stream(exchange));
  }

  /**
   * Builds the error for an unexpected status, with the registry's own message, control characters removed.
   *
   * @param operation the operation and its object, e.g. `push manifest registry/repo:tag`
   */
  refusal(answer: { status: number; bytes?: Uint8Array; url?: URL }, operation: string): TsignError {
    const { registry } = this.#options.repository;
    const reason = registryMessage(answer.bytes);
    const message = `${operation}: ${registry} returned ${answer.status}${reason ? `: ${reason}` : ""}`;
    const fields = { service: "registry", status: answer.status, url: answer.url } as const;
    if (answer.status !== 401 && answer.status !== 403) {
      const busy = answer.status === 429 || answer.status >= 500;
      const hint = busy ? "try again later" : undefined;
      return new TsignError("registry", message, { hint, ...fields });
    }
    const hint = this.#note ?? `check your permissions, or run \`tsign login ${registry}\``;
    return new TsignError("auth", message, { hint, ...fields });
  }

  /** Builds the same error for an answer with a streamed body, which it closes. */
  async streamRefusal(response: HttpResponse & { url: URL }, operation: string): Promise<TsignError> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const piece of response.body) {
        size += piece.length;
        if (size > MAX_ERROR_BODY) break;
        pieces.push(piece);
      }
    } catch {
      // the status is enough for the message
    }
    response.discard();
    return this.refusal({ ...response, bytes: Buffer.concat(pieces) }, operation);
  }

  async #authorized<T extends { status: number; headers: Readonly<Record<string, string>>; url: URL }>(
    request: RegistryRequest,
    send: (exchange: Exchange) => Promise<T>,
  ): Promise<T> {
    const origin = await this.#findOrigin();
    const url = new URL(request.path, origin);
    const own = url.origin === origin.origin;
    const scope = this.#scopeOf(request);
    const attempt = async (authorization: Authorization | undefined) => {
      const headers = { ...request.headers, ...(authorization ? { authorization: authorization.header } : {}) };
      const { method, body, file, followRedirects = false } = request;
      return send({ method, url, headers, followRedirects, file, ...(body ? { body } : {}) });
    };
    // Credentials are sent to the registry itself only, not to a host it redirects to.
    const isRefused = ({ status, url: from, headers }: T) =>
      status === 401 && from.origin === origin.origin && headers["www-authenticate"] !== undefined;
    const authorization = own && this.#challenge ? await this.#authorize(scope, origin) : undefined;
    const first = await attempt(authorization);
    if (!isRefused(first)) return first;
    discard(first);
    this.#challenge = first.headers["www-authenticate"];
    if (authorization !== undefined) await this.#forget(scope, authorization);
    const renewed = own ? await this.#authorize(scope, origin) : undefined;
    const second = await attempt(renewed);
    if (renewed?.expires === undefined || renewed.uses === 1 || !isRefused(second)) return second;
    // A token may be good for a few requests, which others have made meanwhile: ask for one that nobody else uses.
    discard(second);
    return attempt(await this.#newAuthorization(scope, origin));
  }

  #scopeOf({ action, alsoReads }: RegistryRequest): string {
    const { repository } = this.#options.repository;
    const actions = action === "pull" ? "pull" : `pull,${action}`;
    // A login needs no repository and no rights.
    const own = repository === "" ? "" : `repository:${repository}:${actions}`;
    return alsoReads === undefined ? own : `${own} repository:${alsoReads}:pull`;
  }

  /** Drops an authorization that the registry refused, unless a request at the same time has already renewed it. */
  async #forget(scope: string, { header: refused }: Authorization): Promise<void> {
    const known = this.#authorizations.get(scope);
    const current = await known?.catch(() => undefined);
    if (current?.header === refused && this.#authorizations.get(scope) === known) this.#authorizations.delete(scope);
  }

  async #authorize(scope: string, origin: URL): Promise<Shared> {
    const known = this.#authorizations.get(scope);
    const current = await known;
    const expired = current?.expires !== undefined && current.expires <= this.#options.io.now().getTime();
    if (expired && this.#authorizations.get(scope) === known) this.#authorizations.delete(scope);
    const authorization = await shared(this.#authorizations, scope, () => this.#newAuthorization(scope, origin));
    authorization.uses++;
    return authorization;
  }

  async #newAuthorization(scope: string, origin: URL): Promise<Shared> {
    const { io, repository, tls } = this.#options;
    this.#credentials ??= this.#options.credentials(origin).catch((error: unknown) => {
      this.#credentials = undefined; // the next request asks again
      throw error;
    });
    const credentials = await this.#credentials;
    this.#note = credentials.note;
    const challenge = this.#challenge ?? "";
    const now = io.now().getTime();
    return { ...(await authenticate({ io, tls, repository, credentials, challenge, origin, scope, now })), uses: 0 };
  }

  #findOrigin(): Promise<URL> {
    const { repository, ...options } = this.#options;
    return shared(this.#origins, repository.registry, () => findOrigin(repository.registry, options));
  }
}

/** Ends the body of an answer that is not read. */
function discard(answer: object): void {
  if ("discard" in answer && typeof answer.discard === "function") answer.discard();
}
