import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { digestOf } from "../src/format/digest.ts";
import type { Handler, ServerRequest, ServerResponse } from "../src/io/io.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { transferManifest } from "../src/oci/transfer.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { PLAIN_REGISTRY, testIo } from "./support/test-io.ts";

/** How a registry answers a request to mount a blob from a repository that has it. */
type Mounting = (mount: () => Promise<ServerResponse>) => ServerResponse | Promise<ServerResponse> | "upload";

const LAYERS = ["one", "two", "three", "four", "five", "six", "seven"].map((each) => Buffer.from(each.repeat(1000)));
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

async function* nothing() {}

/** A registry whose repositories, unlike the sandbox's, share no blobs. */
function separateRepositories(mounting: Mounting): Handler {
  const repositories = new Map<string, Handler>();
  const of = (name: string) => {
    const known = repositories.get(name) ?? createRegistryHandler({ referrers: true });
    repositories.set(name, known);
    return known;
  };
  return async (request) => {
    const url = new URL(request.url, "http://registry.invalid");
    const [, name = ""] = /^\/v2\/(.+?)\/(?:manifests|blobs)\//.exec(url.pathname) ?? [];
    const mount = url.searchParams.get("mount");
    if (mount === null) return of(name)(request);
    const from = url.searchParams.get("from") ?? "";
    const found = await of(from)({ ...request, method: "GET", url: `/v2/${from}/blobs/${mount}`, body: nothing() });
    assert.equal(found.status, 200, "the source has the blob");
    const body = (async function* () {
      yield found.body as Uint8Array;
    })();
    const answer = await mounting(() =>
      of(name)({ ...request, url: `/v2/${name}/blobs/uploads/?digest=${mount}`, body }),
    );
    return answer === "upload" ? of(name)({ ...request, url: `/v2/${name}/blobs/uploads/` }) : answer;
  };
}

/** Serves a registry with the image `src/app`; returns what it is asked from then on. */
async function serve(t: TestContext, handler: Handler) {
  let seen: ServerRequest[] = [];
  const { port, close } = await testIo().listen({ host: "127.0.0.1", port: 0 }, (request) => {
    seen.push(request);
    return handler(request);
  });
  t.after(close);
  const address = `localhost:${port}`;
  const open = (repository: string, options = {}) =>
    openRegistry(testIo(), parseReference(`${address}/${repository}`), { ...PLAIN_REGISTRY, ...options });
  const prepare = async (options = {}) => {
    const source = await open("src/app", options);
    const layers = await Promise.all(LAYERS.map((each) => source.putBlob(each)));
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config: layers[0], layers: layers.slice(1) }),
    );
    await source.putManifest(manifest, { mediaType: MANIFEST_TYPE, tag: "v1" });
    seen = [];
    return digestOf(manifest);
  };
  const asked = (pattern: RegExp) => seen.filter(({ method, url }) => pattern.test(`${method} ${url}`));
  return { open, prepare, asked };
}

const MOUNT = /^POST .*[?&]mount=/;
const DOWNLOAD = /^GET .*\/blobs\//;
const UPLOAD = /^(PUT|PATCH) .*\/blobs\/uploads\//;

/** Copies the image to another repository and checks that all of it is there. */
async function copy(t: TestContext, mounting: Mounting) {
  const registry = await serve(t, separateRepositories(mounting));
  const digest = await registry.prepare();
  const [from, to] = [await registry.open("src/app"), await registry.open("dst/app")];
  await transferManifest({ from, to }, digest);
  const counts = [MOUNT, DOWNLOAD, UPLOAD].map((pattern) => registry.asked(pattern).length);
  for (const layer of LAYERS) {
    const descriptor = { mediaType: "x/y", digest: digestOf(layer), size: layer.length };
    assert.ok(layer.equals(await to.blob(descriptor, { maxBytes: layer.length })));
  }
  assert.ok(await to.manifest(digest));
  const [mounts = 0, downloads = 0, uploads = 0] = counts;
  return { ...registry, mounts, downloads, uploads };
}

test("copy within a registry: blobs are mounted, none is sent", async (t) => {
  const { mounts, downloads, uploads, asked } = await copy(t, (mount) => mount());
  assert.deepEqual({ mounts, downloads, uploads }, { mounts: LAYERS.length, downloads: 0, uploads: 0 });
  assert.match(
    asked(MOUNT)[0]?.url ?? "",
    /^\/v2\/dst\/app\/blobs\/uploads\/\?mount=sha256:[0-9a-f]{64}&from=src%2Fapp$/,
  );
});

const REFUSALS: Readonly<Record<string, Mounting>> = {
  "starts an upload": () => "upload",
  "202 without a location": () => ({ status: 202 }),
  "400": () => ({ status: 400 }),
  "403": () => ({ status: 403 }),
  "404": () => ({ status: 404 }),
  "405": () => ({ status: 405 }),
  "401 without a challenge": () => ({ status: 401 }),
  "another digest": () => ({ status: 201, headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` } }),
  "a location that is not a URL of http": () => ({ status: 202, headers: { location: "file:///etc/passwd" } }),
};
for (const [name, mounting] of Object.entries(REFUSALS)) {
  test(`copy within a registry that refuses to mount (${name}): blobs are sent, and it is not asked for each`, async (t) => {
    const { mounts, downloads, uploads } = await copy(t, mounting);
    assert.deepEqual({ downloads, uploads }, { downloads: LAYERS.length, uploads: LAYERS.length });
    assert.ok(mounts <= 4, `${mounts} requests`); // as many as are copied at a time
  });
}

test("copy to another registry: no blob is mounted", async (t) => {
  const [one, two] = await Promise.all(
    ["a", "b"].map(() =>
      serve(
        t,
        separateRepositories((mount) => mount()),
      ),
    ),
  );
  assert.ok(one && two);
  const digest = await one.prepare();
  await transferManifest({ from: await one.open("src/app"), to: await two.open("dst/app") }, digest);
  assert.deepEqual([one.asked(MOUNT).length, two.asked(MOUNT).length, two.asked(UPLOAD).length], [0, 0, LAYERS.length]);
});

/** Requires tokens that name exactly the scopes of the request. `grants` decides which tokens its token server issues. */
function withTokens(registry: Handler, grants: (scopes: readonly string[]) => boolean) {
  const requested: string[][] = [];
  const handler: Handler = async (request) => {
    const url = new URL(request.url, "http://registry.invalid");
    const realm = `http://${request.headers["host"]}/token`;
    if (url.pathname === "/token") {
      const scopes = url.searchParams.getAll("scope");
      requested.push(scopes);
      if (!grants(scopes)) return { status: 401 };
      return { status: 200, body: JSON.stringify({ token: Buffer.from(scopes.join(" ")).toString("base64url") }) };
    }
    const [, name] = /^\/v2\/(.+?)\/(?:manifests|blobs)\//.exec(url.pathname) ?? [];
    const from = url.searchParams.get("from");
    const [, token = ""] = /^Bearer (.*)$/.exec(request.headers["authorization"] ?? "") ?? [];
    const scopes = Buffer.from(token, "base64url").toString().split(" ");
    const own = scopes.filter((scope) => scope.startsWith(`repository:${name}:pull`));
    const others = scopes.filter((scope) => !own.includes(scope));
    const valid = own.length === 1 && others.join() === (from === null ? "" : `repository:${from}:pull`);
    if (valid) return registry(request);
    return { status: 401, headers: { "www-authenticate": `Bearer realm="${realm}",service="s"` } };
  };
  return { handler, requested };
}

const LOGIN = { username: "alice", password: "secret" };

test("mount: the token is for pulling from the source, too, and every other token for its own repository only", async (t) => {
  const { handler, requested } = withTokens(
    separateRepositories((mount) => mount()),
    () => true,
  );
  const { open, prepare, asked } = await serve(t, handler);
  const digest = await prepare(LOGIN);
  requested.length = 0;
  await transferManifest({ from: await open("src/app", LOGIN), to: await open("dst/app", LOGIN) }, digest);
  assert.equal(asked(UPLOAD).length, 0);
  const both = ["repository:dst/app:pull,push", "repository:src/app:pull"];
  const distinct = new Set(requested.map((scopes) => scopes.join(" ")));
  const allowed = [
    both.join(" "),
    "repository:src/app:pull",
    "repository:dst/app:pull",
    "repository:dst/app:pull,push",
  ];
  assert.ok(distinct.has(both.join(" ")), [...distinct].join());
  for (const each of distinct) assert.ok(allowed.includes(each), each);
});

test("mount: a token server that refuses a token for both repositories -> blobs are sent", async (t) => {
  const { handler } = withTokens(
    separateRepositories((mount) => mount()),
    (scopes) => scopes.length === 1,
  );
  const { open, prepare, asked } = await serve(t, handler);
  const digest = await prepare(LOGIN);
  const to = await open("dst/app", LOGIN);
  await transferManifest({ from: await open("src/app", LOGIN), to }, digest);
  assert.equal(asked(UPLOAD).length, LAYERS.length);
  assert.ok(await to.manifest(digest));
});
