import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import process from "node:process";
import { Readable } from "node:stream";
import tls from "node:tls";
import { TsignError } from "../errors.ts";
import { release } from "../format/pieces.ts";
import type { Handler, HttpRequest, HttpResponse, Listening, ServerRequest, TlsOptions } from "./io.ts";

const agents = new Map<string, http.Agent | https.Agent>();

/** One agent for each way of connecting, so that connections are kept and TLS settings reach only who they are meant for. */
function agentFor({ url, tls: options, proxy }: HttpRequest, systemAuthorities: boolean): http.Agent | https.Agent {
  const id = JSON.stringify([url.protocol, options, proxy]);
  const known = agents.get(id);
  if (known) return known;
  const proxyEnv = proxy ? { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } : undefined;
  const common = { keepAlive: true, ...(proxyEnv ? { proxyEnv } : {}) };
  if (url.protocol === "https:" && systemAuthorities) trustSystem();
  const agent =
    url.protocol === "https:" ? new https.Agent({ ...common, ...tlsOptions(options) }) : new http.Agent(common);
  agents.set(id, agent);
  return agent;
}

let systemTrusted = process.execArgv.includes("--use-system-ca");

/** Go programs trust the system's authorities and SSL_CERT_FILE. Node does when bin/tsign starts it; started otherwise, here. */
function trustSystem(): void {
  if (systemTrusted) return;
  systemTrusted = true;
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...tls.getCACertificates("system")]);
}

function tlsOptions(options: TlsOptions | undefined): https.AgentOptions {
  if (!options) return {};
  return {
    ...(options.ca ? { ca: options.ca } : {}),
    ...(options.cert ? { cert: options.cert } : {}),
    ...(options.key ? { key: options.key } : {}),
    ...(options.serverName ? { servername: options.serverName } : {}),
    rejectUnauthorized: options.insecure !== true, // said outright, so that NODE_TLS_REJECT_UNAUTHORIZED does not switch it off
  };
}

/**
 * One HTTP exchange (Io.http).
 *
 * @param options.systemAuthorities false leaves the authorities that the process trusts as they are
 */
export function exchange(request: HttpRequest, { systemAuthorities = true } = {}): Promise<HttpResponse> {
  const { url, method, headers, body, signal } = request;
  const send = url.protocol === "https:" ? https.request : http.request;
  return new Promise((done, fail) => {
    const outgoing = send(url, { method, headers, signal, agent: agentFor(request, systemAuthorities) });
    const failed = (cause: unknown) => {
      outgoing.destroy();
      const known = signal.aborted ? signal.reason : cause; // what is sent may fail to be read
      fail(known instanceof TsignError ? known : networkError(url, cause));
    };
    outgoing.on("error", failed);
    outgoing.on("socket", freeAfterParsing);
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
 * Frees what a connection read as soon as the parser has copied the body out of it. The event comes when the parser has begun
 * to listen, for this request, so that ours is heard last.
 */
function freeAfterParsing(socket: Socket): void {
  socket.removeListener("data", release);
  socket.on("data", release);
}

/** Sends a body piece by piece, as fast as the connection takes it; each is freed once it has left the process. */
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
    throw new TsignError("input", `${sent} bytes were read of what has ${size}: did it change meanwhile?`);
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

function joinHeaders(headers: http.IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
  );
}

async function* bodyOf(incoming: http.IncomingMessage, url: URL, signal: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    for await (const piece of incoming) yield piece as Buffer;
    if (!incoming.complete) throw new Error("the connection was closed before the end of the answer");
  } catch (cause) {
    if (signal.aborted && signal.reason instanceof TsignError) throw signal.reason;
    throw cause instanceof TsignError ? cause : networkError(url, cause);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name could not be looked up",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "no route to the host",
  EPROTO: "the server does not speak TLS",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "the server does not speak TLS",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's certificate is of an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's certificate is of an unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the server's certificate is of an unknown authority",
  CERT_HAS_EXPIRED: "the server's certificate has expired",
};

const NOT_THERE = "is it running, and is that its address?";
const NO_NAME = "is the name right, and is there a network? HTTPS_PROXY names a proxy to go through";
const UNKNOWN_AUTHORITY = "SSL_CERT_FILE names the authorities to trust, --registry-cacert those of a registry";
const NO_TLS = "a registry without TLS needs --allow-http-registry";

/** What to do about some of them. */
const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: NOT_THERE,
  ENOTFOUND: NO_NAME,
  EAI_AGAIN: NO_NAME,
  ETIMEDOUT: NOT_THERE,
  EHOSTUNREACH: NOT_THERE,
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
};

function networkError(url: URL, cause: unknown): TsignError {
  const { code, errors, message } = cause as { code?: string; errors?: { code?: string }[]; message?: string };
  const known = code ?? errors?.[0]?.code ?? "";
  // OpenSSL's own text: "…:SSL routines:<function>:<reason>:<file>…", where an alert is the server's refusal.
  const alert = /:SSL routines:[^:]*:([^:]*\balert\b[^:]*):/.exec(message ?? "")?.[1];
  const refused = alert && `it refuses the TLS handshake (${alert})`;
  const reason = refused ?? REASONS[known] ?? message ?? "unknown reason";
  const hint = refused ? undefined : HINTS[known];
  return new TsignError("network", `cannot reach ${url.protocol}//${url.host}: ${reason}`, {
    cause,
    hint,
    url,
  });
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program uses the port",
  EACCES: "permission denied",
  EADDRNOTAVAIL: "this machine does not have the address",
};

/** Serves HTTP on a loopback address (Io.listen). */
export function listen(options: { host: string; port: number }, handler: Handler): Promise<Listening> {
  const server = http.createServer((incoming, outgoing) => {
    const request: ServerRequest = {
      method: incoming.method ?? "GET",
      url: incoming.url ?? "/",
      headers: joinHeaders(incoming.headers),
      body: incoming,
    };
    handler(request)
      .then(({ status, headers = {}, body = "" }) => {
        outgoing.writeHead(status, headers);
        if (typeof body === "string" || body instanceof Uint8Array) outgoing.end(body);
        else
          Readable.from(body)
            .on("error", () => outgoing.destroy())
            .pipe(outgoing);
      })
      .catch(() => outgoing.destroy());
  });
  return new Promise((done, fail) => {
    server.on("error", (cause: NodeJS.ErrnoException) => {
      const reason = LISTEN_REASONS[cause.code ?? ""] ?? cause.message;
      fail(new TsignError("input", `cannot listen on ${options.host}:${options.port}: ${reason}`, { cause }));
    });
    server.listen(options.port, options.host, () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : options.port;
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          server.closeAllConnections();
        });
      done({ port, close });
    });
  });
}
