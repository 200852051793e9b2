import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { run, temporaryFolder } from "./support/test-io.ts";

const MIB = 1024 * 1024;
/** Sizes in bytes around one piece of a file (1 MiB) and around several. */
const SIZES = [1, MIB - 1, MIB, MIB + 1, Math.round(1.2 * MIB), 2 * MIB, 5 * MIB];
const IMAGE = "application/vnd.oci.image.manifest.v1+json";
const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** A registry that checks nothing and reads uploads slowly, so that the pieces of the sender queue up. */
async function slowRegistry(context: TestContext) {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const types = new Map<string, string | undefined>();
  const read = async (request: IncomingMessage) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) {
      pieces.push(piece);
      if (pieces.length % 8 === 1) await setTimeout(5);
    }
    return Buffer.concat(pieces);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "", "http://registry.invalid");
    const [, repository = "", kind, name = ""] =
      /^\/v2\/(.+)\/(blobs|manifests|referrers)\/(.*)$/.exec(url.pathname) ?? [];
    const store = kind === "blobs" ? blobs : manifests;
    const found = store.get(name);
    if (request.method === "POST") return response.writeHead(202, { location: `/v2/${repository}/blobs/up` }).end();
    if (request.method === "PUT") {
      const body = await read(request);
      const stated = url.searchParams.get("digest");
      store.set(stated ?? name, body);
      if (kind === "manifests") {
        store.set(sha256(body), body);
        for (const each of [name, sha256(body)]) types.set(each, request.headers["content-type"]);
      }
      return response.writeHead(201, { "docker-content-digest": sha256(body) }).end();
    }
    if (!found) return response.writeHead(404).end();
    const type = kind === "blobs" ? "application/octet-stream" : IMAGE;
    response.writeHead(200, {
      "content-type": type,
      "content-length": found.length,
      "docker-content-digest": sha256(found),
    });
    return response.end(request.method === "HEAD" ? undefined : found);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => server.close());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, blobs, types };
}

/** Checks every blob against its digest, because the registry does not. */
function requireWhole(blobs: ReadonlyMap<string, Buffer>, contents: readonly Buffer[]): void {
  for (const [digest, bytes] of blobs) assert.equal(sha256(bytes), digest, `${bytes.length} bytes came changed`);
  for (const each of contents) assert.ok(blobs.get(sha256(each))?.equals(each), `${each.length} bytes are missing`);
}

/** An image in a folder, with a layer of each size. */
function writeLayout(folder: string, layers: readonly Buffer[]): void {
  mkdirSync(join(folder, "blobs/sha256"), { recursive: true });
  const put = (bytes: Buffer, mediaType: string) => {
    writeFileSync(join(folder, "blobs/sha256", sha256(bytes).slice(7)), bytes);
    return { mediaType, digest: sha256(bytes), size: bytes.length };
  };
  const config = put(Buffer.from("{}"), "application/vnd.oci.image.config.v1+json");
  const listed = layers.map((each) => put(each, "application/vnd.oci.image.layer.v1.tar"));
  const manifest = { schemaVersion: 2, mediaType: IMAGE, config, layers: listed };
  const index = { schemaVersion: 2, manifests: [put(Buffer.from(JSON.stringify(manifest)), IMAGE)] };
  writeFileSync(join(folder, "index.json"), JSON.stringify(index));
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
}

test("files of all sizes reach a slow registry unchanged", async (t) => {
  const cwd = temporaryFolder(t);
  const contents = SIZES.map((size) => randomBytes(size));
  const tsign = async (...argv: string[]) => {
    const { code, stderr } = await run(argv, { cwd });
    assert.equal(code, 0, stderr);
  };
  for (const [index, each] of contents.entries()) writeFileSync(join(cwd, `file${index}`), each);
  await t.test("upload blob", async (t) => {
    const { host, blobs } = await slowRegistry(t);
    for (const index of contents.keys())
      await tsign("upload", "blob", "-f", `file${index}`, `${host}/t/blob:v${index}`);
    requireWhole(blobs, contents);
  });
  await t.test("upload blob, several at once", async (t) => {
    const { host, blobs } = await slowRegistry(t);
    const files = [...contents.keys()].flatMap((index) => ["-f", `file${index}:linux/arch${index}`]);
    await tsign("upload", "blob", ...files, `${host}/t/blob:v1`);
    requireWhole(blobs, contents);
  });
  await t.test("upload wasm", async (t) => {
    const { host, blobs } = await slowRegistry(t);
    for (const index of contents.keys()) await tsign("upload", "wasm", "-f", `file${index}`, `${host}/t/w:v${index}`);
    requireWhole(blobs, contents);
  });
  await t.test("attach sbom and sandbox push", async (t) => {
    const { host, blobs } = await slowRegistry(t);
    for (const index of contents.keys()) {
      const env = { TSIGN_SANDBOX: host };
      const { code, stderr } = await run(["sandbox", "push", `app:v${index}`, `file${index}`], { cwd, env });
      assert.equal(code, 0, stderr);
      await tsign("attach", "sbom", "--sbom", `file${index}`, `${host}/app:v${index}`);
    }
    requireWhole(blobs, contents);
  });
  await t.test("load, copy and save", async (t) => {
    const [source, target] = [await slowRegistry(t), await slowRegistry(t)];
    writeLayout(join(cwd, "layout"), contents);
    await tsign("load", "--dir", "layout", `${source.host}/t/app:v1`);
    requireWhole(source.blobs, contents);
    await tsign("copy", `${source.host}/t/app:v1`, `${target.host}/t/app:v1`);
    requireWhole(target.blobs, contents);
    await tsign("save", "--dir", "saved", `${target.host}/t/app:v1`);
    const again = await slowRegistry(t);
    await tsign("load", "--dir", "saved", `${again.host}/t/app:v1`);
    requireWhole(again.blobs, contents);
  });
});

test("upload: file shrinks -> error names it", async (t) => {
  const { host } = await slowRegistry(t);
  const { testIo } = await import("./support/test-io.ts");
  const io = testIo();
  const short = (async function* () {
    yield Buffer.from("half");
  })();
  const url = new URL(`http://${host}/v2/t/blobs/up`);
  const sent = io.http({ url, method: "PUT", headers: { "content-length": "8" }, body: short, signal: io.signal });
  await assert.rejects(sent, { code: "input", message: /got 4 bytes, want 8/ });
});

test("push manifest without mediaType: type taken from its descriptor, otherwise from its fields", async (t) => {
  const cwd = temporaryFolder(t);
  const DOCKER = "application/vnd.docker.distribution.manifest.v2+json";
  const LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
  const INDEX = "application/vnd.oci.image.index.v1+json";
  for (const [top, below] of [
    [INDEX, IMAGE],
    [LIST, DOCKER],
    ["", ""],
  ] as const) {
    const { host, types } = await slowRegistry(t);
    const folder = join(cwd, `layout${top.length}`);
    mkdirSync(join(folder, "blobs/sha256"), { recursive: true });
    const put = (document: object, mediaType: string) => {
      const bytes = Buffer.from(JSON.stringify(document));
      writeFileSync(join(folder, "blobs/sha256", sha256(bytes).slice(7)), bytes);
      return { ...(mediaType ? { mediaType } : {}), digest: sha256(bytes), size: bytes.length };
    };
    const config = put({}, "application/vnd.oci.image.config.v1+json");
    const image = put({ schemaVersion: 2, config, layers: [] }, below);
    const index = put({ schemaVersion: 2, manifests: [image] }, top);
    writeFileSync(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [index] }));
    writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    const { code, stderr } = await run(["load", "--dir", folder, `${host}/t/app:v1`], { cwd });
    assert.equal(code, 0, stderr);
    assert.equal(types.get(image.digest), below || IMAGE);
    assert.deepEqual([types.get(index.digest), types.get("v1")], [top || INDEX, top || INDEX]);
  }
});
