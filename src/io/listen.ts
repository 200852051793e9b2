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

/** Serves HTTP, or HTTPS with `tls` (Io.listen). */
export async function listen(options: ListenOptions, handler: Handler): Promise<Listening> {
  const { host, port, tls } = options;
  const server = tls ? await secureServer(tls, answering(handler)) : http.createServer(answering(handler));
  return new Promise((done, fail) => {
    server.on("error", (cause: NodeJS.ErrnoException) => {
      const reason = REASONS[cause.code ?? ""] ?? cause.message;
      fail(new TsignError("input", `listen on ${host}:${port}: ${reason}`, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      const own = typeof address === "object" && address ? address.port : port;
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          server.closeAllConnections();
        });
      const finish = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          server.closeIdleConnections();
        });
      done({ port: own, renew: (tls) => renew(server, tls), close, finish });
    });
  });
}

/** Creates a server over TLS, of HTTP/1.1: a client then has a connection for each request at a time, not one for all. */
async function secureServer(tls: ServerTls, listener: http.RequestListener): Promise<http.Server> {
  const context = await contextOf(tls);
  const { createServer } = await import("node:https");
  const client = tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false };
  const common = { requestTimeout: REQUEST_TIMEOUT, ALPNProtocols: ["http/1.1"] };
  return createServer({ ...context, ...client, ...common }, listener);
}

/** Replaces the certificates of a server. */
async function renew(server: http.Server, tls: ServerTls): Promise<void> {
  const context = await contextOf(tls);
  if ("setSecureContext" in server) (server as https.Server).setSecureContext(context);
}

/** @throws TsignError "input" for what is not a certificate chain with its key */
async function contextOf({ cert, key, clientCa }: ServerTls): Promise<SecureContextOptions> {
  const { createSecureContext } = await import("node:tls");
  const context = { cert, key, minVersion: "TLSv1.2", ...(clientCa === undefined ? {} : { ca: clientCa }) } as const;
  try {
    createSecureContext(context);
    return context;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^error:[^:]*:/, "") : String(cause);
    throw new TsignError("input", `read the certificate and key to serve with: ${reason}`, {
      cause,
      hint: "pass a PEM certificate chain and the private key of its first certificate",
    });
  }
}

function answering(handler: Handler): http.RequestListener {
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
        outgoing.writeHead(status, headers);
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
