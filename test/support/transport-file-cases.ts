import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { TsignError } from "../../src/errors.ts";
import { systemFiles } from "../../src/io/files.ts";
import type { HttpRequest } from "../../src/io/io.ts";
import { tlsAuthority } from "./tls-authorities.ts";
import type { TransportCase, World } from "./transport-cases.ts";

/** What Io.http guarantees for a request with a file. Bun's fetch sends the file; elsewhere, and where it cannot, the stream is sent. */
const SENDS_FILES = process.versions["bun"] !== undefined && process.platform === "linux";

const SIZE = 300_000;
/** More than the buffers of a connection. */
const LARGE = 24 * 1024 * 1024;

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A request for a file of `f`, whose stream has as many `s`. */
type Files = (folder: string) => Partial<HttpRequest>;

function put(file: string, size: number, more: Partial<HttpRequest> = {}): Partial<HttpRequest> {
  const headers = { "user-agent": "tsign", accept: "*/*", "content-type": "x/y", "content-length": String(size) };
  const body = (async function* () {
    yield Buffer.alloc(size, "s");
  })();
  return { method: "PUT", headers, body, file, ...more };
}

/** A sparse file, and a request for it whose stream is its content. */
function putLarge(folder: string): Partial<HttpRequest> & { file: string } {
  const file = join(folder, "large");
  closeSync(openSync(file, "w"));
  truncateSync(file, LARGE);
  const request = put(file, LARGE, { body: systemFiles(folder).chunks(file) });
  return { ...request, file, headers: { ...request.headers, "x-early": "1" } };
}

async function inFolder(run: (folder: string) => Promise<string>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "tsign-transport-"));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A case that shows whether the file or the stream was sent: its length and letter. */
function sent(name: string, want: "file" | "stream", request: Files): TransportCase {
  const letter = want === "file" && SENDS_FILES ? "f" : "s";
  return {
    name: `file: ${name}`,
    want: `PUT /u HTTP/1.1 content-length: ${SIZE} content-type: x/y ${SIZE} ${letter} | 200 "ok"`,
    run: (world) =>
      inFolder(async (folder) => {
        const server = await world.serve((socket) => socket.write(OK));
        const answer = await world.ask(server.url("/u"), request(folder));
        const [head = "", body = ""] = (server.requests.at(-1) ?? "").split("\r\n\r\n");
        const [line, ...headers] = head
          .split("\r\n")
          .map((each) => each.replace(/^[^:]+:/, (key) => key.toLowerCase()));
        const shown = headers.filter((each) => /^(content-|transfer-)/.test(each)).sort();
        return `${[line, ...shown].join(" ")} ${body.length} ${[...new Set(body)].join("")} | ${answer}`;
      }),
  };
}

function written(folder: string, size = SIZE): string {
  const file = join(folder, "file");
  writeFileSync(file, "f".repeat(size));
  return file;
}

/** A case with a large file and a server that reads nothing until `resume`. */
function large(
  name: string,
  want: string | RegExp,
  answer: (socket: Socket) => unknown,
  during: (file: string, world: World, stop: AbortController) => unknown = () => {},
): TransportCase {
  return {
    name: `file: ${name}`,
    want,
    run: (world) =>
      inFolder(async (folder) => {
        const server = await world.serve((socket, request) => {
          if (request.startsWith("GET")) return socket.write(OK);
          socket.pause();
          return answer(socket);
        });
        const stop = new AbortController();
        const request = putLarge(folder);
        const answered = world.ask(server.url(), { ...request, signal: stop.signal });
        await delay(50);
        await during(request.file, world, stop);
        const after = await answered;
        return `${after} | ${await world.ask(server.url())}`;
      }),
  };
}

/** Reads the rest of a request and answers it, and later requests on the same connection. */
function readLate(socket: Socket): void {
  let left = LARGE - 1024 * 1024; // what came with the header is not counted
  socket.removeAllListeners("data");
  socket.on("data", (piece: Buffer) => {
    const isRequest = left <= 0 && piece.includes("GET ");
    const isEnd = left > 0 && left <= piece.length;
    left -= piece.length;
    if (isRequest || isEnd) socket.write(OK);
  });
  setTimeout(() => socket.resume(), 150);
}

const NO = "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno";
const CHANGED = /^input: send file: size mismatch: got \d+ bytes, want \d+ \| 200 "ok"$/;
const BROKEN = /^network: connection (closed|reset)[^|]* \| 200 "ok"$/;

export const FILE_CASES: readonly TransportCase[] = [
  sent("a regular file", "file", (folder) => put(written(folder), SIZE)),
  sent("a symbolic link -> the stream", "stream", (folder) => {
    const link = join(folder, "link");
    symlinkSync(written(folder), link);
    return put(link, SIZE);
  }),
  sent("shorter than stated -> the stream", "stream", (folder) => put(written(folder, SIZE - 1), SIZE)),
  sent("longer than stated -> the stream", "stream", (folder) => put(written(folder, SIZE + 1), SIZE)),
  sent("missing -> the stream", "stream", (folder) => put(join(folder, "none"), SIZE)),
  sent("a folder -> the stream", "stream", (folder) => put(folder, SIZE)),
  {
    name: "file: over TLS -> the stream",
    want: '"s" 200 "ok"',
    run: (world) =>
      inFolder(async (folder) => {
        const authority = tlsAuthority("files");
        const tls = authority.issue(["localhost", "127.0.0.1"]);
        const server = await world.serve((socket) => socket.write(OK), { tls });
        const answer = await world.ask(server.url(), put(written(folder), SIZE, { tls: { ca: authority.cert } }));
        return `${JSON.stringify(server.requests[0]?.at(-1))} ${answer}`;
      }),
  },
  large("an answer before its end is returned, and ends the connection", '401 "no" | 200 "ok"', (socket) =>
    socket.write(NO),
  ),
  large("an answer before its end, and the end of the connection", '401 "no" | 200 "ok"', (socket) => socket.end(NO)),
  large("connection reset -> error", BROKEN, (socket) => setTimeout(() => socket.resetAndDestroy(), 20)),
  large("connection closed -> error", BROKEN, (socket) => setTimeout(() => socket.destroy(), 20)),
  large(
    "stopped while the server reads nothing -> the reason",
    'timeout: stopped | 200 "ok"',
    () => {},
    (_, __, stop) => stop.abort(new TsignError("timeout", "stopped")),
  ),
  large("becomes shorter -> error", CHANGED, readLate, (file) => truncateSync(file, LARGE / 2)),
  large("becomes longer -> error", CHANGED, readLate, (file) => appendFileSync(file, "x".repeat(10))),
  large("is sent as a whole to a server that reads late", '200 "ok" | 200 "ok"', readLate),
];
