import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { createServer as createTlsServer, type TlsOptions as ServerTls } from "node:tls";
import { TsignError } from "../../src/errors.ts";
import type { HttpRequest, HttpResponse, TlsOptions } from "../../src/io/io.ts";
import { selfSigned, tlsAuthority } from "./tls-authorities.ts";

/**
 * What Io.http guarantees, as a table: each case talks to a server that writes bytes, and returns what it observed as a text, which
 * is compared with the expected one. The cases need no test runner, so that any runtime can run them.
 */
export type Send = (request: HttpRequest) => Promise<HttpResponse>;

export interface TransportCase {
  readonly name: string;
  readonly run: (world: World) => Promise<string>;
  readonly want: string | RegExp;
}

/** How a server answers the request that it has read up to now. */
type Answer = (socket: Socket, request: string, index: number) => unknown;

/** What a case has: the transport, servers, and how to end them. */
export class World {
  readonly #send: Send;
  readonly #servers: { server: Server; sockets: Set<Socket> }[] = [];
  constructor(send: Send) {
    this.#send = send;
  }

  /** Starts a server. `answer` is called once a request's header is complete; requests and connections are recorded. */
  async serve(answer: Answer, { tls, host = "127.0.0.1" }: { tls?: ServerTls; host?: string } = {}) {
    const requests: string[] = [];
    const sockets = new Set<Socket>();
    let connections = 0;
    const accept = (socket: Socket) => {
      connections++;
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
      let text = "";
      socket.on("data", (piece: Buffer) => {
        text += piece.toString("latin1");
        if (!isComplete(text)) return;
        requests.push(text);
        text = "";
        answer(socket, requests.at(-1) ?? "", requests.length - 1);
      });
    };
    const server = tls ? createTlsServer(tls, accept) : createServer(accept);
    server.on("tlsClientError", () => {});
    server.listen(0, host);
    await once(server, "listening");
    this.#servers.push({ server, sockets });
    const { port } = server.address() as { port: number };
    const name = host.includes(":") ? `[${host}]` : tls ? "localhost" : host;
    const url = (path = "/") => `${tls ? "https" : "http"}://${name}:${port}${path}`;
    return { url, port, requests, sockets, connections: () => connections };
  }

  /** Sends a request; returns the response. */
  open(url: string, request: Partial<HttpRequest> = {}): Promise<HttpResponse> {
    const signal = new AbortController().signal;
    return this.#send({
      method: "GET",
      headers: { "user-agent": "tsign", accept: "*/*" },
      signal,
      ...request,
      url: new URL(url),
    });
  }

  /** Sends a request and reads the response: `status headers… body`, or the error. */
  async ask(url: string, request: Partial<HttpRequest> & { show?: readonly string[] } = {}): Promise<string> {
    const { show = [], ...rest } = request;
    try {
      const response = await this.open(url, rest);
      const shown = show.map((name) => `${name}=${response.headers[name] ?? "none"}`);
      return [response.status, ...shown, JSON.stringify(await textOf(response))].join(" ");
    } catch (error) {
      return failure(error);
    }
  }

  close(): void {
    for (const { server, sockets } of this.#servers) {
      server.close();
      for (const socket of sockets) socket.destroy();
    }
  }
}

/** Whether a request's header, and its body by Content-Length or chunks, has arrived. A request with `x-early` counts without body. */
function isComplete(text: string): boolean {
  if (text.startsWith("\x16")) return true; // a ClientHello
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  if (/\r\nx-early:/i.test(text)) return true;
  const size = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
  if (size !== undefined) return text.length >= end + 4 + Number(size);
  return !/\r\ntransfer-encoding: *chunked/i.test(text) || text.endsWith("0\r\n\r\n");
}

async function textOf({ body }: HttpResponse): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece.slice());
  return Buffer.concat(pieces).toString("latin1");
}

/** `code: reason`, without the address. An error that is not tsign's own shows its class. */
function failure(error: unknown): string {
  if (!(error instanceof TsignError)) return `${error}`;
  return `${error.code}: ${error.message.replace(/^connect to [^ ]+: /, "")}`;
}

const ok = (body = "ok", header = "") =>
  `HTTP/1.1 200 OK\r\n${header}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** Requests that change something are sent at most once. */
const METHODS = ["GET", "POST"] as const;
const bodyFor = (method: string) => (method === "POST" ? { body: Buffer.from("abc") } : {});

/** Cases with one server and one request, with each method unless one is given. */
function answered(
  name: string,
  bytes: string | ((socket: Socket) => unknown),
  want: string | RegExp,
  request: Partial<HttpRequest> & { show?: readonly string[] } = {},
): TransportCase[] {
  const answer = (socket: Socket) => (typeof bytes === "string" ? socket.write(bytes, "latin1") : bytes(socket));
  const methods = request.method ? [request.method] : METHODS;
  return methods.map((method) => ({
    name: `${method} ${name}`,
    want,
    async run(world) {
      const server = await world.serve(answer);
      const shown = await world.ask(server.url(), { ...bodyFor(method), ...request, method });
      await delay(5);
      return method === "POST" && server.requests.length > 1 ? `sent ${server.requests.length} times: ${shown}` : shown;
    },
  }));
}

/** A case about the request that the server reads. */
function sent(name: string, want: string, path: string, request: () => Partial<HttpRequest>): TransportCase {
  return {
    name,
    want,
    async run(world) {
      const server = await world.serve((socket) => socket.write(ok()));
      const answer = await world.ask(server.url(path), request());
      const [head = "", ...body] = (server.requests[0] ?? "").split("\r\n\r\n");
      const [line, ...headers] = head.split("\r\n").map((each) => each.replace(`:${server.port}`, ":PORT"));
      const shown = headers.map((each) => each.replace(/^[^:]+/, (header) => header.toLowerCase())).sort();
      return [line, ...shown, JSON.stringify(body.join("\r\n\r\n")), answer].join(" | ");
    },
  };
}

async function* pieces(...texts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) {
    await delay(1);
    yield Buffer.from(text);
  }
}

const CLOSED = /^network: connection (closed|reset)/;

const REQUESTS: readonly TransportCase[] = [
  sent(
    "request: only the given headers, Host and Connection",
    'GET /v2/?n=1&m=%20x HTTP/1.1 | accept: */* | connection: keep-alive | host: 127.0.0.1:PORT | user-agent: tsign | "" | 200 "ok"',
    "/v2/?n=1&m=%20x#fragment",
    () => ({}),
  ),
  sent(
    "request: the path as given",
    'GET /a//b/%2F/..%2fc/%e2%82%ac HTTP/1.1 | accept: */* | connection: keep-alive | host: 127.0.0.1:PORT | user-agent: tsign | "" | 200 "ok"',
    "/a//b/%2F/..%2fc/%e2%82%ac",
    () => ({}),
  ),
  sent(
    "request: bytes are sent with their length",
    'POST /u HTTP/1.1 | accept: */* | connection: keep-alive | content-length: 3 | host: 127.0.0.1:PORT | user-agent: tsign | "abc" | 200 "ok"',
    "/u",
    () => ({
      method: "POST",
      body: Buffer.from("abc"),
      headers: { "user-agent": "tsign", accept: "*/*", "content-length": "3" },
    }),
  ),
  sent(
    "request: bytes without a given length",
    'PUT /u HTTP/1.1 | accept: */* | connection: keep-alive | content-length: 3 | host: 127.0.0.1:PORT | user-agent: tsign | "abc" | 200 "ok"',
    "/u",
    () => ({ method: "PUT", body: Buffer.from("abc") }),
  ),
  sent(
    "request: PUT of no bytes has a length of 0",
    'PUT /u HTTP/1.1 | accept: */* | connection: keep-alive | content-length: 0 | host: 127.0.0.1:PORT | user-agent: tsign | "" | 200 "ok"',
    "/u",
    () => ({ method: "PUT", body: new Uint8Array(0) }),
  ),
  ...["POST", "PUT", "PATCH"].map((method) =>
    sent(
      `request: ${method} without a body has a length of 0`,
      `${method} /u HTTP/1.1 | accept: */* | connection: keep-alive | content-length: 0 | host: 127.0.0.1:PORT | user-agent: tsign | "" | 200 "ok"`,
      "/u",
      () => ({ method }),
    ),
  ),
  sent(
    "request: a stream with a length is not chunked",
    'PUT /u HTTP/1.1 | accept: */* | connection: keep-alive | content-length: 6 | host: 127.0.0.1:PORT | user-agent: tsign | "abcdef" | 200 "ok"',
    "/u",
    () => ({
      method: "PUT",
      body: pieces("abc", "def"),
      headers: { "user-agent": "tsign", accept: "*/*", "content-length": "6" },
    }),
  ),
  sent(
    "request: a stream without a length is chunked",
    'PUT /u HTTP/1.1 | accept: */* | connection: keep-alive | host: 127.0.0.1:PORT | transfer-encoding: chunked | user-agent: tsign | "3\\r\\nabc\\r\\n3\\r\\ndef\\r\\n0\\r\\n\\r\\n" | 200 "ok"',
    "/u",
    () => ({ method: "PUT", body: pieces("abc", "def") }),
  ),
  {
    name: "request: no body, no Content-Length for GET, HEAD and DELETE",
    want: "GET false | HEAD false | DELETE false",
    async run(world) {
      const server = await world.serve((socket) => socket.write("HTTP/1.1 204 No Content\r\n\r\n"));
      const shown: string[] = [];
      for (const [index, method] of ["GET", "HEAD", "DELETE"].entries()) {
        await world.ask(server.url(), { method });
        shown.push(`${method} ${/content-length: [1-9]/i.test(server.requests[index] ?? "")}`);
      }
      return shown.join(" | ");
    },
  },
  ...(["abc", "abcdefghi"] as const).map(
    (text): TransportCase => ({
      name: `request: a stream of ${text.length} bytes for a length of 6 -> error, no complete request`,
      want: `input: send file: size mismatch: got ${text.length} bytes, want 6 | false`,
      async run(world) {
        const server = await world.serve((socket) => socket.write(ok()), {});
        const body = pieces(text.slice(0, 2), text.slice(2));
        const headers = { "content-length": "6" };
        const answer = await world.ask(server.url(), { method: "PUT", body, headers });
        await delay(30);
        return `${answer} | ${text.length < 6 && server.requests.length > 0}`;
      },
    }),
  ),
  {
    name: "request: a stream that throws -> its error, no complete request",
    want: "input: read file | 0",
    async run(world) {
      const server = await world.serve((socket) => socket.write(ok()));
      const body = (async function* () {
        yield Buffer.from("abc");
        await delay(5);
        throw new TsignError("input", "read file");
      })();
      const answer = await world.ask(server.url(), { method: "PUT", body, headers: { "content-length": "6" } });
      await delay(30);
      return `${answer} | ${server.requests.length}`;
    },
  },
  {
    name: "request: a server that reads nothing stops the stream",
    want: "true",
    async run(world) {
      const server = await world.serve((socket) => socket.pause());
      let produced = 0;
      const body = (async function* () {
        for (let piece = 0; piece < 512; piece++) {
          produced++;
          yield new Uint8Array(256 * 1024);
        }
      })();
      const stop = new AbortController();
      const headers = { "content-length": String(512 * 256 * 1024), "x-early": "1" };
      const answer = world.ask(server.url(), { method: "PUT", body, headers, signal: stop.signal });
      await delay(400);
      const stopped = produced < 128;
      stop.abort();
      await answer;
      return `${stopped}${stopped ? "" : ` (${produced} of 512 pieces)`}`;
    },
  },
  ...[200, 600].map(
    (size): TransportCase => ({
      name: `request: an answer before the end of ${size} KiB is returned`,
      want: '401 "no"',
      async run(world) {
        const server = await world.serve((socket) => {
          socket.pause();
          socket.write("HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
        });
        const headers = { "user-agent": "tsign", accept: "*/*", "x-early": "1" };
        return world.ask(server.url(), { method: "PUT", body: new Uint8Array(size * 1024), headers });
      },
    }),
  ),
  {
    name: "request: an answer before the end of the stream is returned",
    want: "401 ",
    async run(world) {
      const server = await world.serve((socket) => socket.write("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"));
      const body = pieces(...Array.from({ length: 20 }, () => "abc"));
      const headers = { "content-length": "60", "x-early": "1" };
      try {
        const response = await world.open(server.url(), { method: "PUT", body, headers });
        response.discard();
        return `${response.status} `;
      } catch (error) {
        return failure(error);
      }
    },
  },
];

const RESPONSES: readonly TransportCase[] = [
  ...answered(
    "response: redirects are not followed",
    "HTTP/1.1 307 T\r\nLocation: /x\r\nContent-Length: 1\r\n\r\nr",
    '307 location=/x "r"',
    { show: ["location"] },
  ),
  ...answered(
    "response: nothing is decompressed",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    '200 content-encoding=gzip content-length=3 "abc"',
    { show: ["content-encoding", "content-length"] },
  ),
  ...answered(
    "response: repeated headers are joined",
    ok(
      "",
      "WWW-Authenticate: Basic\r\nwww-authenticate: Bearer x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nLink: 1\r\nLink: 2\r\n",
    ),
    '200 www-authenticate=Basic, Bearer x set-cookie=a=1, b=2 link=1, 2 ""',
    { show: ["www-authenticate", "set-cookie", "link"] },
  ),
  ...answered(
    "response: of headers that occur once, the first counts",
    ok(
      "",
      "Content-Type: a/1\r\nContent-Type: a/2\r\nLocation: /1\r\nLocation: /2\r\nRetry-After: 1\r\nRetry-After: 2\r\n",
    ),
    '200 content-type=a/1 location=/1 retry-after=1 ""',
    { method: "GET", show: ["content-type", "location", "retry-after"] },
  ),
  ...answered(
    "response: of headers that occur once, the first or all count",
    ok(
      "",
      "Content-Type: a/1\r\nContent-Type: a/2\r\nLocation: /1\r\nLocation: /2\r\nRetry-After: 1\r\nRetry-After: 2\r\n",
    ),
    /^200 content-type=a\/1(, a\/2)? location=\/1(, \/2)? retry-after=1(, 2)? ""$/,
    { method: "POST", ...bodyFor("POST"), show: ["content-type", "location", "retry-after"] },
  ),
  ...answered(
    "response: bytes above 0x7f in a header are Latin-1",
    ok("", "X-Name: \xe9\xff\r\n"),
    '200 x-name=\xe9\xff ""',
    {
      show: ["x-name"],
    },
  ),
  ...answered("response: a header of 20 KB -> error", ok("", `X: ${"y".repeat(20_000)}\r\n`), /^network: /),
  ...answered(
    "response: headers of 300 KB in all -> error",
    ok("", `X: ${"y".repeat(1000)}\r\n`.repeat(300)),
    /^network: /,
  ),
  ...answered(
    "response: 3000 header lines -> error, or the first ones",
    ok("", "X: y\r\n".repeat(3000)),
    /^(network: .*|200 "")$/s,
  ),
  ...answered("response: a body by Content-Length", ok("body"), '200 "body"'),
  ...answered("response: no body by a length of 0", ok(""), '200 ""'),
  ...answered(
    "response: shorter than its length -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
    CLOSED,
  ),
  ...answered(
    "response: chunks",
    (s) => s.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n"),
    '200 "abcd"',
  ),
  ...answered(
    "response: chunks without the last -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    CLOSED,
  ),
  ...answered(
    "response: a part of a chunk -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\nabc"),
    CLOSED,
  ),
  ...answered(
    "response: the last chunk without its end -> complete (RFC 9112 §8), or an error",
    (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"),
    /^(200 "abc"|network: connection (closed|reset).*)$/,
  ),
  ...answered(
    "response: an invalid size of a chunk -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
    /^network: /,
  ),
  ...answered(
    "response: a chunk longer than its size -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"),
    /^network: /,
  ),
  ...answered(
    "response: a body up to the end of the connection",
    (s) => s.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"),
    '200 "abc"',
  ),
  ...answered("response: of HTTP/1.0", (s) => s.end("HTTP/1.0 200 OK\r\n\r\nabc"), '200 "abc"'),
  ...answered(
    "response: length and chunks at once -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
    /^network: /,
  ),
  ...answered(
    "response: two lengths -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    /^network: /,
  ),
  ...answered(
    "response: a negative length -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabcd"),
    /^network: /,
  ),
  ...answered(
    "response: a length that is no number -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabcd"),
    /^network: /,
  ),
  ...answered(
    "response: an encoding that is not chunked, then the end",
    (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"),
    '200 "abc"',
  ),
  ...answered("response: not HTTP -> error", (s) => s.end("SSH-2.0-x\r\n\r\n"), /^network: /),
  ...answered(
    "response: a status that is no number -> error",
    (s) => s.end("HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n"),
    /^network: /,
  ),
  ...answered("response: a space in a header's name -> error", (s) => s.end(ok("", "X Y: 1\r\n")), /^network: /),
  ...answered(
    "response: a folded header line",
    (s) => s.end(ok("", "X-Name: a\r\n b\r\n")),
    /^(network: .*|200 x-name=a ?b "ok")$/s,
    { show: ["x-name"] },
  ),
  ...answered("response: a zero byte in a header -> error", (s) => s.end(ok("", "X: a\0b\r\n")), /^network: /),
  ...answered(
    "response: 100 and 103 before the answer are skipped",
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n${ok()}`,
    '200 link=none "ok"',
    { show: ["link"] },
  ),
  ...answered(
    "response: 101 -> error",
    (s) => s.end("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nabc"),
    /^network: /,
  ),
  ...answered("response: 204 has no body", "HTTP/1.1 204 No Content\r\n\r\n", '204 ""'),
  ...answered("response: 304 with a length has no body", "HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n", '304 ""'),
  ...answered(
    "response: HEAD has a length and no body",
    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    '200 content-length=9 ""',
    { method: "HEAD", show: ["content-length"] },
  ),
  ...answered(
    "response: HEAD of chunks has no body",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    '200 ""',
    {
      method: "HEAD",
    },
  ),
  ...answered("response: connection closed before it -> error", (s) => s.end(), CLOSED),
  ...answered("response: connection reset before it -> error", (s) => s.resetAndDestroy(), CLOSED),
  ...answered(
    "response: connection closed in its header -> error",
    (s) => s.end("HTTP/1.1 200 OK\r\nContent-"),
    CLOSED,
  ),
  ...answered(
    "response: connection reset in its body -> error",
    (s) => {
      s.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", () => setTimeout(() => s.resetAndDestroy(), 20));
    },
    CLOSED,
  ),
  {
    name: "response: a reader that waits stops the server; discard closes the connection",
    want: "true true",
    async run(world) {
      let written = 0;
      const server = await world.serve((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${512 * 256 * 1024}\r\n\r\n`);
        const fill = () => {
          while (written < 512) {
            written++;
            if (!socket.write(Buffer.alloc(256 * 1024))) return void socket.once("drain", fill);
          }
        };
        fill();
      });
      const response = await world.open(server.url());
      const reader = response.body[Symbol.asyncIterator]();
      await reader.next();
      await delay(400);
      const stopped = written < 128;
      response.discard();
      await delay(60);
      return `${stopped}${stopped ? "" : ` (${written} of 512)`} ${server.sockets.size === 0}`;
    },
  },
  {
    name: "response: leaving the loop over a body closes the connection",
    want: "0",
    async run(world) {
      const server = await world.serve((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nabc"));
      const { body } = await world.open(server.url());
      for await (const _ of body) break;
      await delay(60);
      return `${server.sockets.size}`;
    },
  },
];

const CONNECTIONS: readonly TransportCase[] = [
  {
    name: "connection: used again for the next request",
    want: '200 "1" 200 "2" 1',
    async run(world) {
      const server = await world.serve((socket, _, index) => socket.write(ok(String(index + 1))));
      const answers = [await world.ask(server.url()), await world.ask(server.url())];
      return [...answers, server.connections()].join(" ");
    },
  },
  {
    name: "connection: bytes after an answer never become the next answer",
    want: /^200 "1" (200 "2"|network: .*)$/s,
    async run(world) {
      const server = await world.serve((socket, _, index) =>
        socket.write(index === 0 ? ok("1") + ok("forged") : ok(String(index + 1))),
      );
      return [await world.ask(server.url()), await world.ask(server.url())].join(" ");
    },
  },
  {
    name: "connection: bytes that come between two requests never become the next answer",
    want: /^200 "1" (200 "2"|network: .*)$/s,
    async run(world) {
      const server = await world.serve((socket, _, index) => {
        socket.write(ok(String(index + 1)));
        if (index === 0) setTimeout(() => socket.write(ok("forged")), 20);
      });
      const first = await world.ask(server.url());
      await delay(60);
      return [first, await world.ask(server.url())].join(" ");
    },
  },
  {
    name: "connection: an alternative service is not used",
    want: '200 "1" 200 "2" 0',
    async run(world) {
      const other = await world.serve((socket) => socket.write(ok("other")));
      const header = `Alt-Svc: h3=":${other.port}"; ma=60, h2=":${other.port}", http/1.1=":${other.port}"\r\n`;
      const server = await world.serve((socket, _, index) => socket.write(ok(String(index + 1), header)));
      const answers = [await world.ask(server.url()), await world.ask(server.url())];
      return [...answers, other.connections()].join(" ");
    },
  },
  {
    name: "connection: credentials and cookies of one request are not in the next",
    want: '200 "ok" 200 "ok" false',
    async run(world) {
      const server = await world.serve((socket) => socket.write(ok("ok", "Set-Cookie: a=1; Path=/\r\n")));
      const headers = { "user-agent": "tsign", accept: "*/*", authorization: "Basic eDp5" };
      const answers = [await world.ask(server.url(), { headers }), await world.ask(server.url())];
      return [...answers, /authorization|cookie/i.test(server.requests[1] ?? "none")].join(" ");
    },
  },
  {
    name: "connection: Connection: close is obeyed",
    want: '200 "1" 200 "2" 2',
    async run(world) {
      const server = await world.serve((socket, _, index) =>
        socket.write(ok(String(index + 1), "Connection: close\r\n")),
      );
      const answers = [await world.ask(server.url()), await world.ask(server.url())];
      return [...answers, server.connections()].join(" ");
    },
  },
  ...["GET", "POST"].map(
    (method): TransportCase => ({
      // A request that changes nothing may be sent again (RFC 9110 §9.2.2).
      name: `connection: closed without an answer to a second ${method} -> error, ${method === "GET" ? "sent at most twice" : "sent once"}`,
      want:
        method === "GET"
          ? /^200 "ok" network: connection (closed|reset).* [23]$/
          : /^200 "ok" network: connection (closed|reset).* 2$/,
      async run(world) {
        const server = await world.serve((socket, _, index) => (index === 0 ? socket.write(ok()) : socket.destroy()));
        const body = method === "POST" ? { body: Buffer.from("abc") } : {};
        const answers = [await world.ask(server.url()), await world.ask(server.url(), { method, ...body })];
        await delay(30);
        return [...answers, server.requests.length].join(" ");
      },
    }),
  ),
  {
    name: "connection: refused",
    want: "network: connection refused",
    run: (world) => world.ask("http://127.0.0.1:1/"),
  },
  ...["file:///etc/hostname", "data:,ok", "blob:x", "s3://bucket/x", "ftp://127.0.0.1/"].map(
    (url): TransportCase => ({
      name: `connection: ${url} -> error`,
      want: /^(?!200)/,
      run: (world) => world.ask(url),
    }),
  ),
  {
    name: "connection: no such host",
    want: /^network: (no such host|name lookup failed)$/,
    run: (world) => world.ask("http://no-such-host.invalid/"),
  },
  {
    name: "connection: IPv6",
    want: '200 "ok" [::1]',
    async run(world) {
      const server = await world.serve((socket) => socket.write(ok()), { host: "::1" });
      const answer = await world.ask(server.url());
      return `${answer} ${/host: (\[::1\])/i.exec(server.requests[0] ?? "")?.[1]}`;
    },
  },
  ...(["before the request", "before the answer", "in the body"] as const).map(
    (when): TransportCase => ({
      name: `connection: aborted ${when} -> the reason, and it is closed`,
      want: "timeout: late 0",
      async run(world) {
        const stop = new AbortController();
        const abort = () => stop.abort(new TsignError("timeout", "late"));
        const server = await world.serve((socket) => {
          if (when === "in the body") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
          setTimeout(abort, 20);
        });
        if (when === "before the request") abort();
        const answer = await world.ask(server.url(), { signal: stop.signal });
        await delay(60);
        return `${answer} ${when === "before the request" ? server.requests.length : server.sockets.size}`;
      },
    }),
  ),
  {
    name: "connection: variables for proxies are not read",
    want: '200 "ok"',
    async run(world) {
      const server = await world.serve((socket) => socket.write(ok()));
      const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"];
      const before = names.map((name) => process.env[name]);
      for (const name of names) process.env[name] = "http://127.0.0.1:1";
      try {
        return await world.ask(server.url());
      } finally {
        for (const [index, name] of names.entries()) {
          if (before[index] === undefined) delete process.env[name];
          else process.env[name] = before[index];
        }
      }
    },
  },
];

const LOCAL = ["localhost", "127.0.0.1"];
const authority = tlsAuthority("authority");
const good = authority.issue(LOCAL);
const client = authority.issue([]);
const CA = authority.cert;

/** Cases with one server over TLS and one request. A server that is refused must not have received the request. */
function secured(name: string, server: ServerTls, tls: HttpRequest["tls"], want: string | RegExp): TransportCase[] {
  return METHODS.map((method) => ({
    name: `TLS: ${method} ${name}`,
    want,
    async run(world) {
      const { url, requests } = await world.serve((socket) => socket.write(ok()), { tls: server });
      const headers = { "user-agent": "tsign", accept: "*/*", authorization: "Bearer secret" };
      const answer = await world.ask(url(), { method, headers, ...bodyFor(method), ...(tls ? { tls } : {}) });
      await delay(5);
      const received = answer.startsWith("200") ? 1 : 0;
      return requests.length === received ? answer : `received ${requests.length} times: ${answer}`;
    },
  }));
}

const intermediate = authority.subordinate("intermediate");
const chained = intermediate.issue(LOCAL);
const expired = tlsAuthority("expired", { from: -1000, to: -10 });
const BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const NO_AUTHORITY = /^(input: read CA certificates|network: .*unknown authority)/;

/** A server of TLS 1.1 only. OpenSSL offers no cipher for it by default, BoringSSL has no such levels. */
const OLD: ServerTls = {
  ...good,
  minVersion: "TLSv1.1",
  maxVersion: "TLSv1.1",
  ...(process.versions["bun"] === undefined ? { ciphers: "DEFAULT@SECLEVEL=0" } : {}),
};

const REFUSED = /^network: (the server refused the TLS handshake.*|connection (closed|reset).*)$/;
const unknown = "network: the server's certificate is signed by an unknown authority";

const named = authority.issue(["a.example"]);
const ofClient = { ca: CA, ...client };
const twice = (answer: string) => `${answer} ${answer}`;
const thenRefused = (wanted: RegExp) => new RegExp(`^200 "ok" 200 "ok" ${wanted.source} ${wanted.source}$`, "s");

/** What one request's connection or session has proven is not proven for a request with other options. */
const SEQUENCES: readonly {
  name: string;
  server: ServerTls;
  first: TlsOptions;
  second: TlsOptions;
  want: string | RegExp;
}[] = [
  {
    name: "insecure, then not",
    server: selfSigned(LOCAL),
    first: { insecure: true },
    second: { ca: CA },
    want: `${twice('200 "ok"')} ${twice("network: the server's certificate is self-signed")}`,
  },
  {
    name: "insecure, then the system's authorities",
    server: good,
    first: { insecure: true },
    second: {},
    want: thenRefused(/network: the server's certificate [^"]*/),
  },
  {
    name: "the right authority, then another",
    server: good,
    first: { ca: CA },
    second: { ca: tlsAuthority("other").cert },
    want: `${twice('200 "ok"')} ${twice(unknown)}`,
  },
  {
    name: "the right authority, then the system's",
    server: good,
    first: { ca: CA },
    second: {},
    want: thenRefused(/network: the server's certificate [^"]*/),
  },
  {
    name: "the right name, then another",
    server: named,
    first: { ca: CA, serverName: "a.example" },
    second: { ca: CA, serverName: "b.example" },
    want: thenRefused(/network: [^"]*does not match[^"]*/),
  },
  {
    name: "the right name, then the URL's",
    server: named,
    first: { ca: CA, serverName: "a.example" },
    second: { ca: CA },
    want: thenRefused(/network: [^"]*does not match[^"]*/),
  },
  {
    name: "a client certificate, then none",
    server: { ...good, requestCert: true, ca: CA },
    first: ofClient,
    second: { ca: CA },
    want: thenRefused(/network: the server refused the TLS handshake[^"]*/),
  },
];

const TLS: readonly TransportCase[] = [
  ...(["nothing", "", BROKEN, "-----BEGIN CERTIFICATE-----", `# ${CA.slice(28)}`] as const).flatMap((ca) =>
    secured(`no authority is given: ${JSON.stringify(ca.slice(0, 40))}`, good, { ca }, NO_AUTHORITY),
  ),
  ...secured("the given authority", good, { ca: CA }, '200 "ok"'),
  ...secured("two given authorities", good, { ca: tlsAuthority("other").cert + CA }, '200 "ok"'),
  ...secured("another authority", good, { ca: tlsAuthority("other").cert }, unknown),
  ...secured("another authority of the same name", good, { ca: tlsAuthority("authority").cert }, /^network: /),
  ...secured(
    "expired",
    authority.issue(LOCAL, { from: -1000, to: -10 }),
    { ca: CA },
    "network: the server's certificate has expired",
  ),
  ...secured(
    "not yet valid",
    authority.issue(LOCAL, { from: 1000, to: 2000 }),
    { ca: CA },
    "network: the server's certificate is not yet valid",
  ),
  ...secured("another name", authority.issue(["a.example"]), { ca: CA }, /^network: .*does not match/),
  ...secured("the given name", authority.issue(["a.example"]), { ca: CA, serverName: "a.example" }, '200 "ok"'),
  ...secured("not the given name", good, { ca: CA, serverName: "a.example" }, /^network: .*does not match/),
  ...secured("self-signed", selfSigned(LOCAL), { ca: CA }, "network: the server's certificate is self-signed"),
  ...secured(
    "not for servers",
    authority.issue([]),
    { ca: CA },
    "network: the server's certificate is not for servers",
  ),
  ...secured("the server's own certificate is given", good, { ca: good.cert }, '200 "ok"'),
  ...secured(
    "a chain to the given authority",
    { ...chained, cert: chained.cert + intermediate.cert },
    { ca: CA },
    '200 "ok"',
  ),
  ...secured("a chain without its intermediate", chained, { ca: CA }, unknown),
  ...secured(
    "the intermediate is given",
    { ...chained, cert: chained.cert + intermediate.cert },
    { ca: intermediate.cert },
    '200 "ok"',
  ),
  ...secured("the intermediate is given, and not sent", chained, { ca: intermediate.cert }, '200 "ok"'),
  ...secured("the given authority has expired", expired.issue(LOCAL), { ca: expired.cert }, /^network: .*expired$/),
  ...secured(
    "one of the given authorities is broken",
    good,
    { ca: `${BROKEN}${CA}` },
    /^(200 "ok"|network: .*unknown authority$|input: read CA certificates)/,
  ),
  ...secured("a wildcard", authority.issue(["*.a.example"]), { ca: CA, serverName: "b.a.example" }, '200 "ok"'),
  ...secured(
    "a wildcard, two labels",
    authority.issue(["*.a.example"]),
    { ca: CA, serverName: "c.b.a.example" },
    /^network: .*does not match/,
  ),
  ...secured(
    "a wildcard, no label",
    authority.issue(["*.a.example"]),
    { ca: CA, serverName: "a.example" },
    /^network: .*does not match/,
  ),
  ...secured(
    "a wildcard for a whole domain",
    authority.issue(["*.example"]),
    { ca: CA, serverName: "a.example" },
    /^network: .*does not match/,
  ),
  ...secured(
    "a wildcard within a label",
    authority.issue(["b*.a.example"]),
    { ca: CA, serverName: "bc.a.example" },
    '200 "ok"',
  ),
  ...secured(
    "a name in the subject only",
    authority.issue(["localhost"], {}, { onlySubject: true }),
    { ca: CA },
    '200 "ok"',
  ),
  ...secured("a name with a zero byte", authority.issue(["localhost\0.example"]), { ca: CA }, /^network: /),
  ...secured("a name in upper case", authority.issue(["LOCALHOST"]), { ca: CA }, '200 "ok"'),
  {
    name: "TLS: an address is not a name",
    want: /^200 "ok" network: .*does not match.* network: .*does not match/s,
    async run(world) {
      const answers = [];
      for (const names of [LOCAL, ["localhost"]]) {
        const { port } = await world.serve((socket) => socket.write(ok()), { tls: authority.issue(names) });
        answers.push(await world.ask(`https://127.0.0.1:${port}/`, { tls: { ca: CA } }));
      }
      const { port } = await world.serve((socket) => socket.write(ok()), { tls: authority.issue(["127.0.0.1"]) });
      return [...answers, await world.ask(`https://localhost:${port}/`, { tls: { ca: CA } })].join(" ");
    },
  },
  ...secured("insecure accepts any", selfSigned(["a.example"]), { insecure: true }, '200 "ok"'),
  ...secured("an old version", OLD, { ca: CA }, /^network: /),
  ...secured(
    "HTTP/1.1 where HTTP/2 is offered",
    { ...good, ALPNProtocols: ["h2", "http/1.1"] },
    { ca: CA },
    '200 "ok"',
  ),
  ...secured(
    "a client certificate is asked for and given",
    { ...good, requestCert: true, ca: CA },
    { ca: CA, ...client },
    '200 "ok"',
  ),
  ...secured(
    "a client certificate is asked for and not given",
    { ...good, requestCert: true, ca: CA, maxVersion: "TLSv1.2" },
    { ca: CA },
    REFUSED,
  ),
  {
    name: "TLS: a server without TLS",
    want: "network: the server does not use TLS",
    async run(world) {
      const { port } = await world.serve((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
      return world.ask(`https://localhost:${port}/`, { tls: { ca: CA } });
    },
  },
  ...SEQUENCES.flatMap(({ name, server, first, second, want }) =>
    (["TLSv1.2", "TLSv1.3"] as const).flatMap((version) =>
      [true, false].map(
        (kept): TransportCase => ({
          name: `TLS: ${name}, ${version}, the connection is ${kept ? "kept" : "closed"}`,
          want,
          async run(world) {
            const answer = ok("ok", kept ? "" : "Connection: close\r\n");
            const tls = { ...server, minVersion: version, maxVersion: version };
            const { url } = await world.serve((socket) => socket[kept ? "write" : "end"](answer), { tls });
            const answers = [];
            for (const options of [first, first, second, second])
              answers.push(await world.ask(url(), { tls: options }));
            return answers.join(" ");
          },
        }),
      ),
    ),
  ),
  {
    name: "TLS: a given authority replaces those of SSL_CERT_FILE and of the runtime",
    want: `200 "ok" ${unknown}`,
    async run(world) {
      const { url } = await world.serve((socket) => socket.write(ok()), { tls: good });
      const folder = mkdtempSync(join(tmpdir(), "tsign-authorities-"));
      const file = join(folder, "authorities.pem");
      writeFileSync(file, CA);
      process.env["SSL_CERT_FILE"] = file;
      try {
        const without = await world.ask(url());
        return `${without} ${await world.ask(url(), { tls: { ca: tlsAuthority("other").cert } })}`;
      } finally {
        delete process.env["SSL_CERT_FILE"];
        rmSync(folder, { recursive: true });
      }
    },
  },
  {
    name: "TLS: with the same options a connection is used again",
    want: '200 "ok" 200 "ok" 1',
    async run(world) {
      const server = await world.serve((socket) => socket.write(ok()), { tls: good });
      const answers = [
        await world.ask(server.url(), { tls: { ca: CA } }),
        await world.ask(server.url(), { tls: { ca: CA } }),
      ];
      return [...answers, server.connections()].join(" ");
    },
  },
  {
    name: "TLS: NODE_TLS_REJECT_UNAUTHORIZED has no effect",
    want: unknown,
    async run(world) {
      const { url } = await world.serve((socket) => socket.write(ok()), { tls: good });
      process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
      try {
        return await world.ask(url(), { tls: { ca: tlsAuthority("other").cert } });
      } finally {
        delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      }
    },
  },
];

export const TRANSPORT_CASES: readonly TransportCase[] = [...REQUESTS, ...RESPONSES, ...CONNECTIONS, ...TLS];

/** Runs a case; returns what differs from what is expected, or undefined. */
export async function check({ name, run, want }: TransportCase, send: Send): Promise<string | undefined> {
  const world = new World(send);
  const late = delay(5000, "no end within 5 s", { ref: false });
  try {
    const got = await Promise.race([run(world), late]);
    const matches = typeof want === "string" ? got === want : want.test(got);
    return matches ? undefined : `${name}\n    got  ${got.slice(0, 500)}\n    want ${want}`;
  } catch (error) {
    return `${name}\n    ${error instanceof Error ? error.stack : error}`;
  } finally {
    world.close();
  }
}
