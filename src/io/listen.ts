import http from "node:http";
import type { Server, Socket } from "node:net";
import { Readable } from "node:stream";
import type { TLSSocket } from "node:tls";
import { TsignError } from "../errors.ts";
import { joinHeaders } from "./http.ts";
import type { Handler, Listening, ListenOptions, ServerRequest } from "./io.ts";
import { type Opened, secureServer } from "./secure-server.ts";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "port already in use",
  EACCES: "permission denied",
  EADDRNOTAVAIL: "not an address of this machine",
  ENOTFOUND: "no such host",
};

/** Serves HTTP, or HTTPS with `tls` (Io.listen). */
export async function listen(options: ListenOptions, handler: Handler): Promise<Listening> {
  let isLeaving = false;
  const answer = answering(handler, () => isLeaving);
  const opened = options.tls ? await secureServer(options.tls, answer) : plainServer(answer);
  const port = await bind(opened.server, options);
  const closed = () => new Promise<void>((done) => opened.server.close(() => done()));
  return {
    port,
    renew: opened.renew,
    async close() {
      const ended = closed();
      opened.endAll();
      await ended;
    },
    async finish() {
      const ended = closed();
      isLeaving = true;
      opened.endIdle();
      await ended;
    },
  };
}

function plainServer(answer: http.RequestListener): Opened {
  const server = http.createServer(answer);
  return {
    server,
    renew: async () => {},
    endIdle: () => server.closeIdleConnections(),
    endAll: () => server.closeAllConnections(),
  };
}

/** Listens. Returns the port. @throws TsignError "input" */
function bind(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
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
