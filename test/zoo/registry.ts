import type { TestContext } from "node:test";
import type { Handler, ServerRequest, ServerResponse } from "../../src/io/io.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { testIo } from "../support/test-io.ts";

/** A parsed request of the distribution protocol. */
export interface ZooRequest extends ServerRequest {
  readonly kind: "ping" | "manifest" | "blob" | "upload" | "referrers" | "tags" | "other";
  readonly repository: string;
  /** Tag, digest or upload session. */
  readonly reference: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** The context of a request, for personalities. */
export interface Surroundings {
  /** The registry without the personality. */
  next(request?: Partial<ServerRequest>): Promise<ServerResponse>;
  /** `http://localhost:<port>` of the registry, and of another host that stores its blobs and manifests, and pages. */
  readonly own: string;
  readonly elsewhere: string;
  /** State kept between requests. */
  readonly memory: Map<string, number>;
}

export type Answer = (
  request: ZooRequest,
  surroundings: Surroundings,
) => Promise<ServerResponse | undefined> | ServerResponse | undefined;

/** Address and host name of a registry. */
export interface Host {
  readonly address: string;
  readonly name: string;
}

export interface ZooRegistry {
  /** `localhost:<port>`, or its own name and port, of the registry with its personality, and of the same registry without it. */
  readonly quirky: string;
  readonly honest: string;
}

/** Starts a registry with a personality. Requests that the personality does not answer go to the registry. */
export async function zooRegistry(
  context: Pick<TestContext, "after">,
  options: { referrers: boolean; answer: Answer; host?: Host },
): Promise<ZooRegistry> {
  const stored = createRegistryHandler({ referrers: options.referrers });
  const listen = async (handler: Handler, { address, name }: Host = { address: "127.0.0.1", name: "localhost" }) => {
    const { port, close } = await testIo().listen({ host: address, port: 0 }, handler);
    context.after(close);
    return `${name}:${port}`;
  };
  const honest = await listen(stored);
  const elsewhere = `http://${await listen((request) => pages(request, stored))}`;
  const memory = new Map<string, number>();
  let own = "";
  const quirky = await listen(async (request) => {
    // Read once, because several handlers may use it.
    const body = await whole(request.body);
    const replay = () => (body.length > 0 ? [body] : [])[Symbol.iterator]();
    const again = { ...request, body: asAsync(replay) };
    const next = (changes: Partial<ServerRequest> = {}) => stored({ ...again, ...changes });
    const answer = await options.answer({ ...again, ...parts(request) }, { next, own, elsewhere, memory });
    return answer ?? next();
  }, options.host);
  own = `http://${quirky}`;
  return { quirky, honest };
}

/** The other host: a web page, or the registry's content under signed URLs. */
async function pages(request: ServerRequest, stored: Handler): Promise<ServerResponse> {
  const url = new URL(request.url, "http://elsewhere");
  if (url.pathname === "/page") return page();
  if (url.pathname === "/missing") return { status: 404, headers: { "content-type": "text/html" }, body: "<p>no" };
  if (url.pathname === "/busy") return { status: 429, headers: { "content-type": "text/html" }, body: "<p>later" };
  if (request.headers["authorization"]) return { status: 400, body: "credentials do not belong here" };
  if (url.searchParams.get("signature") === "good" || request.method !== "GET") return stored(request);
  return { status: 403, body: "not signed" };
}

export function page(): ServerResponse {
  return { status: 200, headers: { "content-type": "text/html; charset=utf-8" }, body: "<html>Sign in</html>" };
}

async function whole(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

function asAsync(begin: () => Iterator<Uint8Array>): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      for (const pieces = begin(), state = { next: pieces.next() }; !state.next.done; state.next = pieces.next()) {
        yield state.next.value;
      }
    },
  };
}

function parts(request: ServerRequest): Omit<ZooRequest, keyof ServerRequest> {
  const { pathname: path, searchParams: query } = new URL(request.url, "http://zoo");
  const [, repository = "", word = "", reference = ""] =
    /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs|referrers|tags)\/?([^/]*)$/.exec(decodeURIComponent(path)) ?? [];
  const kinds = {
    manifests: "manifest",
    "blobs/uploads": "upload",
    blobs: "blob",
    referrers: "referrers",
    tags: "tags",
  } as const;
  const kind = word in kinds ? kinds[word as keyof typeof kinds] : /^\/v2\/?$/.test(path) ? "ping" : "other";
  return { kind, repository, reference, path, query };
}
