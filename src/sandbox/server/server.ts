import type { Handler, Io, ServerRequest, ServerResponse } from "../../io/io.ts";
import type { FaultSwitches, Faults } from "./faults.ts";
import { guard } from "./guard.ts";
import { notFoundPage, refusedPage, wantsPage } from "./page.ts";
import { answer, type Handle, Refused, type Service } from "./service.ts";

interface Matched {
  readonly service: Service;
  readonly handle: Handle;
  readonly params: Record<string, string>;
}

/**
 * Creates one handler for all services and the registry.
 *
 * @param options.sleep waits for a number of milliseconds
 */
export function createHandler(options: {
  services: readonly Service[];
  registry: Handler;
  faults: Faults;
  sleep: Io["sleep"];
}): Handler {
  const { services, registry, faults, sleep } = options;
  const table = services.flatMap((service) =>
    Object.entries(service.routes).map(([route, handle]) => ({ service, handle, matches: matcher(route) })),
  );
  const find = (method: string, path: string): Matched | undefined => {
    for (const { service, handle, matches } of table) {
      const params = matches(method, path);
      if (params) return { service, handle, params };
    }
    return undefined;
  };
  return async (request) => {
    const refusal = guard(request);
    if (refusal) return refusalResponse(request, refusal);
    const url = new URL(request.url, "http://sandbox.invalid");
    const found = find(request.method, url.pathname);
    const isRegistry = url.pathname === "/v2" || url.pathname.startsWith("/v2/");
    if (!found && !isRegistry) {
      if (wantsPage(request.headers)) return notFoundPage(url.pathname);
      return answer("unknown endpoint\n", { status: 404, type: "text/plain" });
    }
    const switches = faults.for(found?.service.name ?? "registry", url.pathname);
    const run = async () => {
      if (!found) return registry(request);
      return serve(found, { request, url, switches });
    };
    return withFaults(run, { request, switches, sleep });
  };
}

function refusalResponse(
  { headers }: ServerRequest,
  { status, reason }: { status: number; reason: string },
): ServerResponse {
  if (wantsPage(headers)) return refusedPage(status, "Request refused", reason);
  return answer(`${reason}\n`, { status, type: "text/plain" });
}

async function serve(
  { service, handle, params }: Matched,
  { request, url, switches }: { request: ServerRequest; url: URL; switches: FaultSwitches },
): Promise<ServerResponse> {
  try {
    const body = await readBody(request, service.maxBody);
    const { method, headers } = request;
    const call = { method, path: url.pathname, query: url.searchParams, headers, body, params, faults: switches };
    return await handle(call);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const response = service.failure(error.status, error.message, request.headers);
    return { ...response, headers: { ...response.headers, ...error.headers } };
  }
}

/** Reads a body. @throws Refused 413 above the limit */
async function readBody(request: ServerRequest, limit: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body) {
    size += piece.length;
    if (size > limit) throw new Refused(413, `the request is larger than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Compiles `METHOD /a/:name/*rest` to a function that returns the values of its names; undefined when it does not match. */
function matcher(route: string): (method: string, path: string) => Record<string, string> | undefined {
  const [wanted = "", pattern = ""] = route.split(" ");
  const source = pattern
    .replace(/[.]/g, "\\.")
    .replace(/:(\w+)/g, "(?<$1>[^/]+)")
    .replace(/\*(\w+)/g, "(?<$1>.+)");
  const expression = new RegExp(`^${source}$`);
  return (method, path) => {
    const same = method === wanted || (method === "HEAD" && wanted === "GET");
    const match = same ? expression.exec(path) : null;
    return match ? { ...match.groups } : undefined;
  };
}

/** Applies the faults common to all services. A thrown error makes the server close the connection. */
async function withFaults(
  run: () => Promise<ServerResponse>,
  { request, switches, sleep }: { request: ServerRequest; switches: FaultSwitches; sleep: Io["sleep"] },
): Promise<ServerResponse> {
  const slow = switches.value("slow", "2000");
  if (slow !== undefined) await sleep(Number(slow));
  if (switches.has("torn")) {
    for await (const _ of request.body) break;
    throw new Error("torn on purpose");
  }
  const wait = switches.value("rate-limit", "1");
  if (wait !== undefined) {
    return answer("too many requests\n", { status: 429, type: "text/plain", headers: { "retry-after": wait } });
  }
  const status = switches.value("status", "500");
  if (status !== undefined) return answer("failed on purpose\n", { status: Number(status), type: "text/plain" });
  if (switches.has("garbage")) return answer("<html>not what you asked for</html>\n", { type: "text/html" });
  const response = await run();
  return switches.has("cut") ? { ...response, body: firstHalf(response.body ?? "") } : response;
}

async function* firstHalf(body: NonNullable<ServerResponse["body"]>): AsyncIterable<Uint8Array> {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (bytes instanceof Uint8Array) yield bytes.subarray(0, Math.floor(bytes.length / 2));
  throw new Error("cut on purpose");
}
