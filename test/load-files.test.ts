import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readFileSync, renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { digestOf } from "../src/format/digest.ts";
import type { Io, ServerRequest, ServerResponse as Stored } from "../src/io/io.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { RUNS_EXECUTABLE } from "./support/program.ts";
import { run, temporaryFolder, testIo } from "./support/test-io.ts";

/**
 * `load` of a layer that the transport sends without reading it. The executable does so on Linux. On Node every case runs twice: with
 * its own transport, which reads and checks what it sends, and with one that sends the file as it is.
 */
const SENDS_FILES = RUNS_EXECUTABLE && process.platform === "linux";
const WAYS = RUNS_EXECUTABLE ? (["as it is"] as const) : (["as it is", "unread"] as const);

const SIZE = 400_000;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** Pauses between attempts divided by a hundred. */
const QUICK: Partial<Io> = { sleep: (ms, signal) => testIo().sleep(ms >= 10_000 ? ms : ms / 100, signal) };

/** A transport that sends the file of a request, if it is a regular one of the stated size. */
function unread(cwd: string): Io["http"] {
  const { http } = testIo();
  return async (request) => {
    const { file, headers } = request;
    if (file === undefined) return http(request);
    const path = resolve(cwd, file);
    const found = lstatSync(path);
    if (!found.isFile() || String(found.size) !== headers["content-length"]) return http(request);
    return http({ ...request, body: readFileSync(path) });
  };
}

/** An image with one layer in a folder `saved`. */
function layout(cwd: string, size: number) {
  const blobs = join(cwd, "saved/blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layer = put(Buffer.alloc(size, "layer"), "application/vnd.oci.image.layer.v1.tar");
  const config = put(Buffer.from("{}"), "application/vnd.oci.image.config.v1+json");
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] };
  const image = put(Buffer.from(JSON.stringify(manifest)), MANIFEST);
  writeFileSync(join(cwd, "saved/index.json"), JSON.stringify({ schemaVersion: 2, manifests: [image] }));
  writeFileSync(join(cwd, "saved/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return { layer: layer.digest, image: image.digest, file: join(blobs, layer.digest.slice(7)) };
}

/** What a registry does with a PUT of the layer; undefined to answer as the sandbox's registry does. */
type Putting = (put: {
  request: IncomingMessage;
  response: ServerResponse;
  /** Stores the content under the digest, unverified. */
  keep(): Promise<void>;
  /** From 1. */
  attempt: number;
  url: URL;
  file: string;
}) => unknown;

async function whole(request: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A registry that may treat the PUT of a layer in its own way. */
async function registry(context: TestContext, file: string, putting: Putting) {
  const stored = createRegistryHandler({ referrers: true });
  const kept = new Map<string, Buffer>();
  let attempts = 0;
  const answer = (response: ServerResponse, { status, headers = {}, body = "" }: Partial<Stored>) =>
    response.writeHead(status ?? 200, headers as Record<string, string>).end(body);
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const digest = decodeURIComponent(url.searchParams.get("digest") ?? "");
    if (url.pathname === "/token") return response.end('{"token":"good"}');
    const content = kept.get(url.pathname.split("/").at(-1) ?? "");
    if (content) return response.end(request.method === "HEAD" ? undefined : content);
    if (request.method === "PUT" && Number(request.headers["content-length"]) >= SIZE) {
      attempts++;
      const keep = async () => {
        kept.set(digest, await whole(request));
        const body = Readable.from([Buffer.alloc(SIZE, "layer")]); // so that the registry accepts the manifest
        await stored({ method: "PUT", url: request.url, headers: request.headers, body } as unknown as ServerRequest);
      };
      await putting({ request, response, keep, attempt: attempts, url, file });
      if (response.headersSent || request.destroyed) return;
    }
    const plain = { method: request.method, url: request.url, headers: request.headers, body: request };
    answer(response, await stored(plain as unknown as ServerRequest));
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy()); // the client has ended the connection
  });
  server.listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address: `localhost:${(server.address() as AddressInfo).port}`, attempts: () => attempts };
}

/** Alters one byte. */
function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1] = 0;
  writeFileSync(file, bytes);
}

/** Keeps what is sent without verifying it. */
const keeping =
  (status: number, header: (url: URL) => string | undefined = () => undefined): Putting =>
  async ({ keep, response, url }) => {
    await keep();
    const digest = header(url);
    response.writeHead(status, digest === undefined ? {} : { "docker-content-digest": digest }).end();
  };

const asked = (url: URL) => url.searchParams.get("digest") ?? "";

/** Reads all and refuses it. */
const refusing =
  (status: number, body = ""): Putting =>
  async ({ request, response }) => {
    await whole(request);
    response.writeHead(status).end(body);
  };

interface Case {
  readonly what: string;
  readonly size?: number;
  readonly spoil?: (file: string) => void;
  readonly putting?: Putting;
  /** What the error says after `read saved@DIGEST: `, or in another error; nothing for success. */
  readonly want?: RegExp;
  /** Result where the transport does not read the file. */
  readonly unread?: "loaded";
  readonly attempts?: number;
}

const MISMATCH = /^Error: read saved@DIGEST: digest mismatch: got sha256:[0-9a-f]{64}, want DIGEST$/m;

const CASES: readonly Case[] = [
  { what: "intact layer, registry that verifies -> loaded", attempts: 1 },
  { what: "damaged layer, registry that verifies -> refused, named", spoil: damage, want: MISMATCH },
  {
    what: "intact layer, registry without Docker-Content-Digest -> loaded",
    putting: keeping(201),
  },
  {
    what: "damaged layer, registry that does not verify, without Docker-Content-Digest -> refused, named",
    spoil: damage,
    putting: keeping(201),
    want: MISMATCH,
  },
  {
    what: "damaged layer, registry that does not verify, with another Docker-Content-Digest -> refused, named",
    spoil: damage,
    putting: keeping(201, () => `sha256:${"0".repeat(64)}`),
    want: MISMATCH,
  },
  {
    what: "damaged layer, registry that accepts with 204 -> refused, named",
    spoil: damage,
    putting: keeping(204, asked),
    want: MISMATCH,
  },
  {
    what: "damaged layer, registry that returns the digest without verifying -> as with cosign where files are sent unread",
    spoil: damage,
    putting: keeping(201, asked),
    want: MISMATCH,
    unread: "loaded",
  },
  {
    what: "damaged layer, registry that answers 500 -> refused, named",
    spoil: damage,
    putting: refusing(500),
    want: MISMATCH,
  },
  {
    what: "intact layer, registry that answers 413 before its end -> its error",
    putting: ({ response }) => response.writeHead(413, { connection: "close" }).end(),
    want: /^Error: push blob \S+@DIGEST: \S+ returned 413$/m,
    attempts: 1,
  },
  {
    what: "intact layer, registry that refuses its digest -> its error",
    putting: refusing(403, '{"errors":[{"code":"DENIED","message":"not this one"}]}'),
    want: /^Error: push blob \S+@DIGEST: \S+ returned 403: .*not this one/m,
  },
  {
    what: "shorter layer -> refused, named",
    spoil: (file) => truncateSync(file, SIZE - 1),
    want: /^Error: read saved@DIGEST: size mismatch: got 399999 bytes, want 400000$/m,
  },
  {
    what: "longer layer -> refused, named",
    spoil: (file) => writeFileSync(file, "x", { flag: "a" }),
    want: /^Error: read saved@DIGEST: size mismatch: got more than 400000 bytes$/m,
  },
  {
    what: "symbolic link to the layer -> refused",
    spoil: (file) => {
      renameSync(file, `${file}-elsewhere`);
      symlinkSync(`${file}-elsewhere`, file);
    },
    want: /^Error: read image layout: saved\/blobs\/sha256\/\w+ is not a regular file$/m,
  },
  {
    what: "401 before the end of the layer, then a token -> loaded",
    putting: ({ request, response }) => {
      if (request.headers.authorization === "Bearer good") return;
      const challenge = `Bearer realm="http://${request.headers.host}/token",service="s"`;
      response.writeHead(401, { "www-authenticate": challenge, connection: "close" }).end();
    },
    attempts: 2,
  },
  {
    what: "connection that breaks, then not -> loaded",
    putting: ({ request, attempt }) => (attempt === 1 ? request.destroy() : undefined),
    attempts: 2,
  },
  {
    what: "damaged layer, connection that breaks, then not -> refused, named",
    spoil: damage,
    putting: ({ request, attempt }) => (attempt === 1 ? request.destroy() : undefined),
    want: MISMATCH,
  },
];

async function load(context: TestContext, way: (typeof WAYS)[number], each: Case) {
  const cwd = temporaryFolder(context);
  const { layer, image, file } = layout(cwd, each.size ?? SIZE);
  each.spoil?.(file);
  const { address, attempts } = await registry(context, file, each.putting ?? (() => {}));
  const options = RUNS_EXECUTABLE ? {} : { io: { ...QUICK, ...(way === "unread" ? { http: unread(cwd) } : {}) } };
  const loaded = await run(["load", "--dir", "saved", `${address}/app/a:v1`], { cwd, ...options });
  const saved = await run(["save", "--dir", "again", `${address}/app/a:v1`], { cwd });
  return {
    loaded,
    saved,
    attempts,
    image,
    text: loaded.stderr.replaceAll(layer, "DIGEST").replace(/\bsaved\/.*\/saved/, ""),
  };
}

for (const way of WAYS) {
  for (const each of CASES) {
    test(`load, the file is sent ${way}: ${each.what}`, async (t) => {
      const { loaded, saved, attempts, text } = await load(t, way, each);
      const isUnread = way === "unread" || SENDS_FILES;
      if (each.want && !(isUnread && each.unread)) {
        assert.equal(loaded.code, 1, text);
        assert.match(text, each.want);
        assert.match(saved.stderr, /no such image/, "nothing has the tag");
      } else {
        assert.equal(loaded.code, 0, text);
        if (each.spoil) assert.match(saved.stderr, /digest mismatch/, "what pulls it refuses it");
        else assert.equal(saved.code, 0, saved.stderr);
      }
      if (each.attempts !== undefined) assert.equal(attempts(), each.attempts);
    });
  }
}

test("load: layer that becomes shorter while it is sent -> refused, named", async (t) => {
  const { loaded, text } = await load(t, "as it is", {
    what: "",
    size: 24 * 1024 * 1024,
    putting: async ({ request, file }) => {
      request.pause();
      truncateSync(file, SIZE);
      await delay(100);
      request.resume();
    },
  });
  assert.equal(loaded.code, 1, text);
  assert.match(text, /^Error: read saved@DIGEST: size mismatch: got \d+ bytes, want 25165824$/m);
});
