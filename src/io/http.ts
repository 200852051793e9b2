import http from "node:http";
import type { Socket } from "node:net";
import { TsignError } from "../errors.ts";
import { once } from "../format/once.ts";
import { release } from "../format/pieces.ts";
import { networkError, sizeMismatch } from "./http-errors.ts";
import type * as Secure from "./https.ts";
import type { HttpRequest, HttpResponse } from "./io.ts";

const agents = new Map<string, http.Agent>();

/** Returns one agent for each combination of TLS options and proxy, so that connections are reused only under the same options. */
function agentFor(
  { url, tls = {}, proxy }: HttpRequest,
  secure: typeof Secure | undefined,
  system: boolean,
): http.Agent {
  const { SSL_CERT_FILE, SSL_CERT_DIR } = process.env;
  const id = JSON.stringify([url.protocol, tls, proxy, system, SSL_CERT_FILE, SSL_CERT_DIR]);
  const known = agents.get(id);
  if (known) return known;
  const common = { keepAlive: true, ...(proxy ? { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } } : {}) };
  if (system && proxy?.startsWith("https:")) secure?.trustSystem();
  const agent =
    url.protocol === "https:" && secure ? secure.secureAgent(common, { tls, system }) : new http.Agent(common);
  agents.set(id, agent);
  return agent;
}

/** Loads what connections over TLS need, to a server or to a proxy. */
async function loadSecure({ url, proxy }: HttpRequest): Promise<typeof Secure | undefined> {
  return url.protocol === "https:" || proxy?.startsWith("https:") ? importSecure() : undefined;
}

const importSecure = once(() => import("./https.ts"));

/**
 * Sends one HTTP request (Io.http).
 *
 * @param options.systemAuthorities false trusts the CA certificates of the process instead of the system's
 */
export async function exchange(request: HttpRequest, { systemAuthorities = true } = {}): Promise<HttpResponse> {
  const { url, method, headers, body, signal } = request;
  const secure = await loadSecure(request);
  const agent = agentFor(request, secure, systemAuthorities);
  const send = url.protocol === "https:" && secure ? secure.request : http.request;
  return new Promise((done, fail) => {
    const outgoing = send(url, { method, headers, signal, agent });
    const failed = (cause: unknown) => {
      outgoing.destroy();
      const known = signal.aborted ? signal.reason : cause; // reading the body to send may also fail
      fail(known instanceof TsignError ? known : networkError(url, cause));
    };
    outgoing.on("error", failed);
    outgoing.on("socket", freeAfterParsing);
    outgoing.on("upgrade", () => failed(new Error("the server switched to another protocol (101)")));
    outgoing.on("response", (incoming) => {
      done({
        status: incoming.statusCode ?? 0,
        headers: joinHeaders(incoming.headers),
        body: bodyOf(incoming, url, signal),
        discard: () => incoming.destroy(),
      });
    });
    if (body === undefined || body instanceof Uint8Array) outgoing.end(body);
    else sendPieces(body, { outgoing, size: headers["content-length"] }).catch(failed);
  });
}

/**
 * Frees the buffers of a connection as soon as the parser has copied the body. This runs after the parser has added its
 * listener for the request, so ours is called last.
 */
function freeAfterParsing(socket: Socket): void {
  socket.removeListener("data", release);
  socket.on("data", release);
}

/** Sends a body piece by piece, as fast as the connection accepts it; each piece is freed once it is sent. */
async function sendPieces(
  body: AsyncIterable<Uint8Array>,
  { outgoing, size }: { outgoing: http.ClientRequest; size: string | undefined },
): Promise<void> {
  let sent = 0;
  for await (const piece of body) {
    sent += piece.length;
    const passed = outgoing.write(piece, (error) => (error ? undefined : release(piece)));
    if (outgoing.destroyed) return;
    if (!passed) await drained(outgoing);
  }
  if (size !== undefined && sent !== Number(size)) {
    throw sizeMismatch(sent, size);
  }
  outgoing.end();
}

function drained(outgoing: http.ClientRequest): Promise<void> {
  return new Promise((done) => {
    const settled = () => {
      outgoing.removeListener("drain", settled);
      outgoing.removeListener("close", settled);
      done();
    };
    outgoing.on("drain", settled);
    outgoing.on("close", settled);
  });
}

/** Returns headers with repeated ones joined by ", ". */
export function joinHeaders(headers: http.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
}

async function* bodyOf(incoming: http.IncomingMessage, url: URL, signal: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    for await (const piece of incoming) yield piece as Buffer;
    if (!incoming.complete) throw new Error("connection closed before the end of the answer");
  } catch (cause) {
    if (signal.aborted && signal.reason instanceof TsignError) throw signal.reason;
    throw cause instanceof TsignError ? cause : networkError(url, cause);
  }
}
