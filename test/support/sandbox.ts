import { TsignError } from "../../src/errors.ts";
import type { Handler, HttpRequest, HttpResponse, Io, ServerResponse } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";
import { GITHUB_JOB, person } from "../../src/sandbox/oidc/issuer.ts";
import type { Claims } from "../../src/sandbox/oidc/token.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import type { Clock } from "../../src/sandbox/server/clock.ts";
import { createFaults, type Fault, type Faults } from "../../src/sandbox/server/faults.ts";
import { createHandler } from "../../src/sandbox/server/server.ts";
import { openSigstore, type Sigstore } from "../../src/sandbox/sigstore.ts";
import type { Addresses } from "../../src/sandbox/trust.ts";

const real = systemIo();
/** An address on which nothing listens, so that requests elsewhere fail at once. */
const BASE = "http://127.0.0.1:1";

/** A Sigstore deployment in this process, without a socket. */
export interface TestSigstore {
  /** URLs of the services: `at.fulcio`, `at.rekor1`, `at.tsa` (the full path), `at.issuer`, `at.tuf`. */
  readonly at: Addresses;
  /** `127.0.0.1:1`, the sandbox's registry. */
  readonly registry: string;
  /** For `testIo({ io })` and `run(argv, { io })`: requests to `at` reach the sandbox, others the network. */
  readonly io: Pick<Io, "http" | "now">;
  /** JSON text of trusted_root.json, for both Rekors. */
  readonly trustedRoot: string;
  /** JSON texts of signing configs. */
  readonly signingConfig: { readonly rekor1: string; readonly rekor1Tsa: string; readonly rekor2: string };
  /** All files for clients (src/sandbox/sigstore.ts). */
  readonly files: Sigstore["files"];
  /** Issues an ID token for a person, with additional or replaced claims. `ttl` in seconds. */
  mint(email: string, claims?: Claims, options?: { aud?: string; ttl?: number }): string;
  /** Issues an ID token for a GitHub Actions job, from the issuer `at.ciIssuer`. */
  mintJob(claims?: Claims, options?: { aud?: string; ttl?: number }): string;
  readonly faults: Faults;
  /** `METHOD path` of every request so far. */
  readonly requests: readonly string[];
}

/** Starts a deployment, at an address of its own if there are several. `io.now` uses its clock, if one is given. */
export async function testSigstore(
  options: { clock?: Clock; faults?: readonly Fault[]; folder?: string; base?: string } = {},
): Promise<TestSigstore> {
  const clock = options.clock ?? real.now;
  const { folder, base = BASE } = options;
  const sigstore = await openSigstore({ ...real, now: clock }, { base, clock, folder });
  const faults = createFaults(options.faults);
  const registry = createRegistryHandler({ referrers: true });
  const handler = createHandler({ services: sigstore.services, registry, faults, sleep: real.sleep });
  const requests: string[] = [];
  const { files, at, tokens } = sigstore;
  const mint = (issuer: string, claims: Claims, { aud, ttl }: { aud?: string; ttl?: number }) =>
    tokens.mint({
      issuer,
      claims,
      ...(aud === undefined ? {} : { audience: aud }),
      ...(ttl === undefined ? {} : { lifetime: ttl }),
    });
  return {
    at,
    registry: new URL(base).host,
    io: {
      now: clock,
      http: async (request) => {
        if (request.url.origin !== base && request.url.host !== "localhost:1") return real.http(request);
        requests.push(`${request.method} ${request.url.pathname}`);
        return exchange(handler, request);
      },
    },
    trustedRoot: files["trusted_root.json"],
    signingConfig: {
      rekor1: files["signing_config.rekor1.json"],
      rekor1Tsa: files["signing_config.rekor1-tsa.json"],
      rekor2: files["signing_config.json"],
    },
    files,
    mint: (email, claims = {}, more = {}) => mint(at.issuer, { ...person(email), ...claims }, more),
    mintJob: (claims = {}, more = {}) => mint(at.ciIssuer, { ...GITHUB_JOB, ...claims }, more),
    faults,
    requests,
  };
}

/** Connects Io.http to a handler, as a socket would. */
export async function exchange(handler: Handler, request: HttpRequest): Promise<HttpResponse> {
  request.signal.throwIfAborted();
  const { url, method } = request;
  const body = request.body instanceof Uint8Array ? [request.body] : (request.body ?? []);
  const broken = (cause: unknown) => new TsignError("network", `connect to ${url.origin}: interrupted`, { cause });
  let response: ServerResponse;
  try {
    response = await handler({
      method,
      url: url.pathname + url.search,
      headers: { host: url.host, ...request.headers },
      body: (async function* () {
        for await (const piece of body) yield piece;
      })(),
    });
  } catch (cause) {
    throw broken(cause);
  }
  request.signal.throwIfAborted();
  const sent = method === "HEAD" ? "" : (response.body ?? "");
  return {
    status: response.status,
    headers: response.headers ?? {},
    body: (async function* () {
      try {
        if (typeof sent === "string" || sent instanceof Uint8Array) yield Buffer.from(sent);
        else for await (const piece of sent) yield piece;
      } catch (cause) {
        throw broken(cause);
      }
    })(),
    discard: () => {},
  };
}
