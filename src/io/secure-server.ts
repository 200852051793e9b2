import http from "node:http";
import type { Server } from "node:net";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { TsignError } from "../errors.ts";
import type { ServerTls } from "./serving.ts";

/** A server that can be bound to an address. */
export interface Opened {
  readonly server: Server;
  /** Uses other certificates for the connections that come. @throws TsignError "input" */
  renew(tls: ServerTls): Promise<void>;
  /** Ends the connections between two requests. */
  endIdle(): void;
  /** Ends all connections. */
  endAll(): void;
}

/** How long a client may take to send a request, and for the handshake, in milliseconds. */
const REQUEST_TIMEOUT = 30_000;
/**
 * How long a connection may be idle, in milliseconds. Kubernetes' API server leaves its idle ones after 90 s: were the server the first
 * to close, a request could be on its way and would be lost.
 */
const KEEP_ALIVE = 120_000;

/**
 * Creates a server of HTTP/1.1 over TLS: a client then has a connection for each request at a time, not one for all. Connections are
 * accepted by a TLS server and passed to an HTTP server, because no certificate can be replaced in an HTTPS server of Bun.
 *
 * @throws TsignError "input" for what is not a certificate chain with its key
 */
export async function secureServer(tls: ServerTls, listener: http.RequestListener): Promise<Opened> {
  const context = await contextOf(tls);
  const { createServer } = await import("node:tls");
  const client = tls.clientCa === undefined ? {} : { requestCert: true, rejectUnauthorized: false };
  const connections = new Connections();
  const web = http.createServer({ keepAliveTimeout: KEEP_ALIVE }, (incoming, outgoing) => {
    connections.use(incoming, outgoing);
    listener(incoming, outgoing);
  });
  const common = { handshakeTimeout: REQUEST_TIMEOUT, ALPNProtocols: ["http/1.1"] };
  const server = createServer({ ...context, ...client, ...common }, (socket) => {
    connections.add(socket);
    web.emit("connection", socket);
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return {
    server,
    async renew(next) {
      server.setSecureContext(await contextOf(next));
    },
    endIdle: () => connections.end("idle"),
    endAll: () => connections.end("all"),
  };
}

interface Connection {
  readonly socket: TLSSocket;
  /** Requests without an answer; undefined before the first request. */
  begun: number | undefined;
  /** Ends the connection. */
  timer: NodeJS.Timeout | undefined;
}

/** The connections of a server: an HTTP server that does not listen itself ends none that is slow or idle for too long. */
class Connections {
  readonly #open = new Map<object, Connection>();

  add(socket: TLSSocket): void {
    const connection: Connection = { socket, begun: undefined, timer: undefined };
    this.#open.set(socket, connection);
    endAfter(connection, REQUEST_TIMEOUT);
    socket.on("error", () => {}); // of one connection
    socket.once("close", () => {
      clearTimeout(connection.timer);
      this.#open.delete(socket);
    });
  }

  /** Follows a request to its answer. */
  use(incoming: http.IncomingMessage, outgoing: http.ServerResponse): void {
    const connection = this.#open.get(incoming.socket);
    if (!connection) return;
    connection.begun = (connection.begun ?? 0) + 1;
    endAfter(connection, REQUEST_TIMEOUT, () => !incoming.complete);
    outgoing.once("close", () => {
      connection.begun = (connection.begun ?? 1) - 1;
      if (connection.begun === 0 && !connection.socket.destroyed) endAfter(connection, KEEP_ALIVE);
    });
  }

  end(which: "idle" | "all"): void {
    for (const { socket, begun } of [...this.#open.values()]) if (which === "all" || begun === 0) socket.destroy();
  }
}

function endAfter(connection: Connection, milliseconds: number, isSlow = () => true): void {
  clearTimeout(connection.timer);
  connection.timer = setTimeout(() => isSlow() && connection.socket.destroy(), milliseconds).unref();
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
