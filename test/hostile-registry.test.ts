import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { digestOf } from "../src/format/digest.ts";
import type { Handler, Io, ServerRequest, ServerResponse } from "../src/io/io.ts";
import { resolveLocation } from "../src/net/http.ts";
import { openRegistry, type RegistryOptions } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import type { Descriptor, ImageStore } from "../src/oci/types.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { listed } from "./support/storage.ts";
import { NO_LOG, OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

/** A registry with handlers given by the test; it records every request. */
async function registry(
  context: TestContext,
  answer: (request: ServerRequest) => Promise<ServerResponse> | ServerResponse,
) {
  const seen: ServerRequest[] = [];
  const handler: Handler = async (request) => {
    seen.push(request);
    return answer(request);
  };
  const { port, close } = await testIo().listen({ host: "127.0.0.1", port: 0 }, handler);
  context.after(close);
  return { address: `localhost:${port}`, origin: `http://localhost:${port}`, seen };
}

/** Runs timers a hundred times as fast, so that a limit of half a minute takes a third of a second. */
function hurried(): Pick<Io, "sleep" | "now"> {
  const io = testIo();
  const start = Date.now();
  return {
    sleep: (milliseconds, signal) => io.sleep(milliseconds / (milliseconds < 10_000 ? 100 : 5), signal),
    now: () => new Date(start + (Date.now() - start) * 100),
  };
}

function open(address: string, options: Partial<RegistryOptions> = {}): Promise<ImageStore> {
  return openRegistry(testIo({ io: hurried() }), parseReference(`${address}/app`), { ...PLAIN_REGISTRY, ...options });
}

async function fails(promise: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof TsignError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
const MANIFEST = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, layers: [] }));
const ok = (body: Uint8Array | string, type: string): ServerResponse => ({
  status: 200,
  headers: { "content-type": type },
  body,
});

async function* endless(piece: Uint8Array) {
  for (;;) yield piece;
}

test("manifest: wrong digest -> refused, right digest -> accepted", async (t) => {
  const { address } = await registry(t, () => ok(MANIFEST, MANIFEST_TYPE));
  const store = await open(address);
  assert.equal((await store.manifest(digestOf(MANIFEST)))?.descriptor.size, MANIFEST.length);
  await fails(store.manifest(digestOf(Buffer.from("other"))), "registry", /digest mismatch/);
});

test("manifest: Docker-Content-Digest of other bytes -> refused", async (t) => {
  const lie = digestOf(Buffer.from("other"));
  const { address } = await registry(t, () => ({
    ...ok(MANIFEST, MANIFEST_TYPE),
    headers: { "content-type": MANIFEST_TYPE, "docker-content-digest": lie },
  }));
  await fails((await open(address)).manifest("v1"), "registry", /digest mismatch/);
});

test("blob: wrong digest or size -> refused", async (t) => {
  const content = Buffer.from("content");
  const bodies: Record<string, Buffer> = {
    good: content,
    other: Buffer.from("contend"),
    short: Buffer.from("con"),
    long: Buffer.from("contents"),
  };
  let body = "good";
  const { address } = await registry(t, () => ok(bodies[body] ?? "", "application/octet-stream"));
  const store = await open(address);
  const blob = { mediaType: "x/y", digest: digestOf(content), size: content.length };
  assert.deepEqual(Buffer.from(await store.blob(blob, { maxBytes: 100 })), content);
  for (const [name, reason] of [
    ["other", /digest mismatch/],
    ["short", /size mismatch: got 3 bytes, want 7/],
    ["long", /got more than 7 bytes/],
  ] as const) {
    body = name;
    await fails(store.blob(blob, { maxBytes: 100 }), "registry", reason);
  }
  await fails(store.blob(blob, { maxBytes: 3 }), "limit", /limit of 3 bytes/);
});

test("endless answers: error at the size limit", async (t) => {
  const { address } = await registry(t, ({ url }) =>
    ok(endless(Buffer.alloc(65_536, 32)) as never, url.includes("referrers") ? INDEX_TYPE : MANIFEST_TYPE),
  );
  const store = await open(address);
  await fails(store.manifest("v1"), "limit", /larger than/);
  await fails(listed(store, digestOf(MANIFEST)), "limit", /limit of 16 MiB/);
  await fails(
    store.blob({ mediaType: "x/y", digest: digestOf(MANIFEST), size: 10 }, { maxBytes: 100 }),
    "registry",
    /size mismatch/,
  );
});

test("referrers list: endless pages, or a page on another host -> error", async (t) => {
  let page = 0;
  let link = () => `</v2/app/referrers/x?page=${++page}>; rel="next"`;
  const { address } = await registry(t, () => ({
    status: 200,
    headers: { "content-type": INDEX_TYPE, link: link() },
    body: JSON.stringify({ schemaVersion: 2, manifests: [] }),
  }));
  const store = await open(address);
  await fails(listed(store, digestOf(MANIFEST)), "limit", /does not end/);
  assert.ok(page <= 101);
  link = () => '<http://elsewhere.example/v2/app/referrers/x>; rel="next"';
  await fails(listed(store, digestOf(MANIFEST)), "registry", /another host/);
});

test('verify: referrers list fails -> exit 1, never "no signatures found"', async (t) => {
  const cwd = temporaryFolder(t);
  const good = createRegistryHandler({ referrers: true });
  let status = 500;
  const { address } = await registry(t, (request) =>
    request.url.includes("/referrers/") ? { status, body: "no" } : good(request),
  );
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: address };
  const io = hurried();
  const verify = ["verify", "--key", "cosign.pub", NO_LOG, "--timeout=5h"]; // the limit is hurried, too
  await run(["generate-key-pair"], { cwd, env });
  const image = (await run(["sandbox", "push", "app"], { cwd, env })).stdout.trim();
  for (status of [500, 401, 403, 429]) {
    const verified = await run([...verify, image], { cwd, env, io });
    assert.equal(verified.code, 1, `${status}: ${verified.stderr}`);
    assert.match(verified.stderr, new RegExp(`returned ${status}`));
  }
  status = 404;
  assert.equal((await run([...verify, image], { cwd, env, io })).code, 10);
});

test("verify: one referrer missing -> reported, others still verified", async (t) => {
  const cwd = temporaryFolder(t);
  const good = createRegistryHandler({ referrers: true });
  const missing: Descriptor = { mediaType: MANIFEST_TYPE, digest: digestOf(Buffer.from("gone")), size: 4 };
  const { address } = await registry(t, async (request) => {
    const answer = await good(request);
    if (!request.url.includes("/referrers/")) return answer;
    const index = JSON.parse(String(answer.body));
    index.manifests.unshift(missing);
    return { status: 200, headers: { "content-type": INDEX_TYPE }, body: JSON.stringify(index) };
  });
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: address };
  await run(["generate-key-pair"], { cwd, env });
  const image = (await run(["sandbox", "push", "app"], { cwd, env })).stdout.trim();
  const alone = await run(["verify", "--key", "cosign.pub", NO_LOG, image], { cwd, env });
  assert.notEqual(alone.code, 0);
  assert.match(alone.stderr, /unreadable: manifest not found, but the registry lists it as a referrer/);
  assert.doesNotMatch(alone.stderr, /out of date/);
  await run(["sign", "--key", "cosign.key", ...OFFLINE, image], { cwd, env });
  const both = await run(["verify", "--key", "cosign.pub", NO_LOG, image], { cwd, env });
  assert.equal(both.code, 0, both.stderr);
});

test("registry: no answer, or a slow one -> timeout", async (t) => {
  const io = testIo();
  const never = new Promise<ServerResponse>(() => {});
  const silent = await registry(t, ({ url }) => (url === "/v2/" ? { status: 200 } : never));
  await fails((await open(silent.address)).manifest("v1"), "timeout", /no answer within/);
  const drip = async function* () {
    for (;;) {
      yield Buffer.from(" ");
      await io.sleep(10);
    }
  };
  const dripping = await registry(t, () => ok(drip() as never, MANIFEST_TYPE));
  await fails((await open(dripping.address)).manifest("v1"), "timeout", /slower than/);
});

test("registry: 503 with Retry-After -> retried after that time, a limited number of times", async (t) => {
  let answers: ServerResponse[] = [];
  const { address, seen } = await registry(t, () => answers.shift() ?? { status: 503 });
  const pauses: number[] = [];
  const io = { ...hurried(), sleep: async (milliseconds: number) => void pauses.push(milliseconds) };
  const store = await openRegistry(
    testIo({
      io: {
        ...io,
        sleep: (ms, signal) =>
          signal?.aborted === false && ms < 31_000 && ms !== 30_000 ? io.sleep(ms) : hurried().sleep(ms, signal),
      },
    }),
    parseReference(`${address}/app`),
    PLAIN_REGISTRY,
  );
  answers = [{ status: 503, headers: { "retry-after": "7" } }, { status: 429 }, ok(MANIFEST, MANIFEST_TYPE)];
  assert.ok(await store.manifest("v1"));
  assert.ok(
    pauses.some((pause) => pause === 7000),
    String(pauses),
  );
  seen.length = 0;
  await fails(store.manifest("v1"), "registry", /returned 503/);
  assert.equal(seen.length, 4);
});

test("bearer token: never sent to another origin on redirects or uploads", async (t) => {
  const content = Buffer.from("content");
  const other = await registry(t, ({ method }) => (method === "GET" ? ok(content, "x/y") : { status: 201 }));
  const first = await registry(t, ({ method, url }) => {
    if (url.includes("/uploads/")) return { status: 202, headers: { location: `${other.origin}/upload` } };
    if (method === "HEAD") return { status: 404 };
    return { status: 307, headers: { location: `${other.origin}/storage` } };
  });
  // The registry sends a challenge first, so that the client has credentials to leak.
  let challenged = false;
  const guarded = await registry(t, async (request) => {
    if (!challenged || !request.headers["authorization"]) {
      challenged = true;
      return { status: 401, headers: { "www-authenticate": `Bearer realm="http://localhost/token",service="x"` } };
    }
    if (request.url.includes("/uploads/")) return { status: 202, headers: { location: `${other.origin}/upload` } };
    if (request.method === "HEAD") return { status: 404 };
    return { status: 307, headers: { location: `${other.origin}/storage` } };
  });
  for (const [server, token] of [
    [first, ""],
    [guarded, "sesame"],
  ] as const) {
    const store = await open(server.address, { token });
    const blob = { mediaType: "x/y", digest: digestOf(content), size: content.length };
    assert.deepEqual(Buffer.from(await store.blob(blob, { maxBytes: 100 })), content);
    assert.equal((await store.putBlob(content)).digest, blob.digest);
  }
  assert.ok(guarded.seen.some(({ headers }) => headers["authorization"] === "Bearer sesame"));
  assert.ok(other.seen.length >= 4);
  for (const { headers } of other.seen) assert.equal(headers["authorization"], undefined);
});

test("password: sent only to a token server over https, or on this machine", async (t) => {
  const realms: [string, RegExp][] = [
    ["http://192.168.7.7/token", /does not use https/],
    ["https://169.254.169.254/token", /private or link-local/],
    ["https://10.1.2.3/token", /private or link-local/],
    ["http://tokens.example/token", /does not use https/],
  ];
  for (const [realm, reason] of realms) {
    const { address } = await registry(t, () => ({
      status: 401,
      headers: { "www-authenticate": `Bearer realm="${realm}",service="x"` },
    }));
    await fails((await open(address, { username: "me", password: "secret" })).manifest("v1"), "auth", reason);
  }
});

test("token: requested with the password, and renewed when it expires", async (t) => {
  let issued = 0;
  const server = await registry(t, (request) => {
    if (request.url.startsWith("/token")) {
      assert.equal(request.headers["authorization"], `Basic ${Buffer.from("me:secret").toString("base64")}`);
      return ok(JSON.stringify({ access_token: `t${++issued}`, expires_in: 3600 }), "application/json");
    }
    if (request.headers["authorization"] !== `Bearer t${issued}` || issued === 0) {
      const realm = `http://${request.headers["host"]}/token?x=1`;
      return { status: 401, headers: { "www-authenticate": `Bearer realm="${realm}",service="svc"` } };
    }
    return ok(MANIFEST, MANIFEST_TYPE);
  });
  const store = await open(server.address, { username: "me", password: "secret" });
  assert.ok(await store.manifest("v1"));
  assert.ok(await store.manifest("v1"));
  assert.equal(issued, 1);
  assert.match(
    server.seen.find(({ url }) => url.startsWith("/token"))?.url ?? "",
    /x=1.*scope=repository%3Aapp%3Apull/,
  );
  issued = 7; // the registry invalidates the token
  assert.ok(await store.manifest("v1"));
  assert.equal(issued, 8);
});

test("resolveLocation: https to http, or another scheme -> refused", () => {
  const from = new URL("https://registry.example/v2/");
  assert.equal(resolveLocation(from, "/other").href, "https://registry.example/other");
  assert.throws(() => resolveLocation(from, "http://registry.example/x"), /from https to http/);
  assert.throws(() => resolveLocation(from, "file:///etc/passwd"), /not an http or https URL/);
});
