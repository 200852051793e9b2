import http from "node:http";
import type https from "node:https";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { TsignError } from "../errors.ts";
import { joinHeaders } from "./http.ts";
import type { Handler, Listening, ListenOptions, ServerRequest } from "./io.ts";
import type { ServerTls } from "./serving.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "port already in use",
  EACCES: "permission denied",
  EADDRNOTAVAIL: "not an address of this machine",
  ENOTFOUND: "no such host",
};

/** How long a client may take to send a request, in milliseconds. */
const REQUEST_TIMEOUT = 30_000;
/**
 * How long a connection over TLS may be idle, in milliseconds. Kubernetes' API server leaves its idle ones after 90 s: were the
 * server the first to close, a request could be on its way and would be lost.
 */
const KEEP_ALIVE = 120_000;

/** How long to try to listen on a port again that a server has just left. Milliseconds. */
const [RETRY_FOR, RETRY_AFTER] = [5000, 5];

/**
 * Serves HTTP, or HTTPS with `tls` (Io.listen).
 *
 * @param renewal how certificates are replaced: in a running server, or by another server on the same port where the runtime cannot
 * do that (Bun); then connections are refused for a few milliseconds
 */
export async function listen(
  options: ListenOptions,
  handler: Handler,
  renewal: "in place" | "by another server" = process.versions["bun"] === undefined ? "in place" : "by another server",
): Promise<Listening> {
  const { host, tls } = options;
  /** Those that answer their last requests. */
  const leaving = new Map<http.Server, Promise<void>>();
  const open = async (of: ServerTls | undefined) => {
    const opened = of ? await secureServer(of) : http.createServer();
    return opened.on(
      "request",
      answering(handler, () => leaving.has(opened)),
    );
  };
  let server = await open(tls);
  const port = await bind(server, options);
  const leave = (left: http.Server) => {
    const closed = new Promise<void>((done) => left.close(() => done()));
    left.closeIdleConnections();
    leaving.set(left, closed);
    return closed.then(() => void leaving.delete(left));
  };
  const replace = async (of: ServerTls) => {
    const next = await open(of);
    leave(server); // and go on without waiting for its last answers
    server = next;
    for (const until = Date.now() + RETRY_FOR; ; ) {
      try {
        await bind(next, { host, port });
        return;
      } catch (error) {
        if (Date.now() > until) throw error;
        await new Promise((done) => setTimeout(done, RETRY_AFTER));
      }
    }
  };
  return {
    port,
    renew: (of) => (renewal === "in place" ? renewInPlace(server, of) : replace(of)),
    async close() {
      const ended = [server, ...leaving.keys()].map((each) => {
        const closed = new Promise<void>((done) => each.close(() => done()));
        each.closeAllConnections();
        return closed;
      });
      await Promise.all(ended);
    },
    async finish() {
      for (const each of leaving.keys()) each.closeIdleConnections();
      await Promise.all([leave(server), ...leaving.values()]);
    },
  };
}

/** Listens. Returns the port. @throws TsignError "input" */
function bind(server: http.Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((done, fail) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const reason = REASONS[cause.code ?? ""] ?? cause.message;
      fail(new TsignError("input", `listen on ${host}:${port}: ${reason}`, { cause }));
    };
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      server.on("error", () => {}); // of one connection
      const address = server.address();
      done(typeof address === "object" && address ? address.port : port);
    });
  });
}

/** Creates a server over TLS, of HTTP/1.1: a client then has a connection for each request at a time, not one for all. */
async function secureServer(tls: ServerTls): Promise<http.Server> {
  const context = await contextOf(tls);
  const { createServer } = await import("node:https");
  const client = tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false };
  const common = { requestTimeout: REQUEST_TIMEOUT, keepAliveTimeout: KEEP_ALIVE, ALPNProtocols: ["http/1.1"] };
  return createServer({ ...context, ...client, ...common });
}

/** Replaces the certificates of a running server. */
async function renewInPlace(server: http.Server, tls: ServerTls): Promise<void> {
  const context = await contextOf(tls);
  if ("setSecureContext" in server) (server as https.Server).setSecureContext(context);
}

/** @throws TsignError "input" for what is not a certificate chain with its key */
async function contextOf({ cert, key, clientCa }: ServerTls): Promise<SecureContextOptions> {
  const { createSecureContext } = await import("node:tls");
  const context = { cert, key, minVersion: "TLSv1.2", ...(clientCa === undefined ? {} : { ca: clientCa }) } as const;
  // Of a file that is just being written, nothing may have been read; TLS would serve without a certificate.
  const empty = [cert, key].some((text) => !text.includes("-----BEGIN "));
  if (empty) throw unusable("there is no PEM in one of them");
  try {
    createSecureContext(context);
    return context;
  } catch (cause) {
    throw unusable(cause instanceof Error ? cause.message.replace(/^error:[^:]*:/, "") : String(cause), cause);
  }
}

function unusable(reason: string, cause?: unknown): TsignError {
  return new TsignError("input", `read the certificate and key to serve with: ${reason}`, {
    cause,
    hint: "pass a PEM certificate chain and the private key of its first certificate",
  });
}

/** @param isLeaving whether an answer is the last one of its connection, which would otherwise stay open while it is idle */
function answering(handler: Handler, isLeaving: () => boolean): http.RequestListener {
  return (incoming, outgoing) => {
    const request: ServerRequest = {
      method: incoming.method ?? "GET",
      url: incoming.url ?? "/",
      headers: joinHeaders(incoming.headers),
      body: incoming,
      clientIsTrusted: isTrusted(incoming.socket),
    };
    handler(request)
      .then(({ status, headers = {}, body = "" }) => {
        outgoing.writeHead(status, isLeaving() ? { ...headers, connection: "close" } : headers);
        if (typeof body === "string" || body instanceof Uint8Array) outgoing.end(body);
        else
          Readable.from(body)
            .on("error", () => outgoing.destroy())
            .pipe(outgoing);
      })
      .catch(() => outgoing.destroy());
  };
}

/** Whether the client has proved a certificate that the server's CA certificates issued. */
function isTrusted(socket: Socket): boolean {
  const { authorized } = socket as Partial<TLSSocket>;
  return authorized === true;
}
