import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { TsignError } from "../src/errors.ts";
import { digestOf } from "../src/format/digest.ts";
import type { HttpRequest, Io } from "../src/io/io.ts";
import { Connections, openRegistry, type RegistryOptions } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import type { ImageStore } from "../src/oci/types.ts";
import { PLAIN_REGISTRY, temporaryFolder, testIo } from "./support/test-io.ts";

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url));
const SERVER = { cert: fixture("server.pem"), key: fixture("server.key") };
const TLS = fileURLToPath(new URL("../fixtures/tls/", import.meta.url));
const CA = join(TLS, "server.pem");
const CLIENT = { clientCertFile: join(TLS, "client.pem"), clientKeyFile: join(TLS, "client.key") };

/** A server on the loopback address that records its requests. */
async function serve(
  context: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  tls?: ServerOptions,
) {
  const seen: { request: string; authorization: string | undefined; client: string | undefined }[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const certificate = request.socket instanceof TLSSocket ? request.socket.getPeerCertificate() : undefined;
    const { authorization } = request.headers;
    seen.push({
      request: `${request.method} ${request.url}`,
      authorization,
      client: certificate?.subject?.CN as string,
    });
    answer(request, response);
  };
  const server = tls ? createServer({ ...SERVER, ...tls }, listener) : createHttpServer(listener);
  let connections = 0;
  server.on("connection", () => connections++).on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { port, address: `localhost:${port}`, seen, connections: () => connections };
}

const absent = (_: IncomingMessage, response: ServerResponse) =>
  response.writeHead(404, { "content-length": "0" }).end();

/** Requests exactly one token from the realm. */
const challenging = (realm: string) => (request: IncomingMessage, response: ServerResponse) => {
  if (request.headers.authorization === "Bearer granted") response.writeHead(404).end();
  else response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s"` }).end();
};
const granting = (_: IncomingMessage, response: ServerResponse) => {
  response.end(JSON.stringify({ token: "granted" }));
};

function open(address: string, options: Partial<RegistryOptions> = {}, io: Partial<Io> = {}): Promise<ImageStore> {
  return openRegistry(testIo({ io }), parseReference(`${address}/app`), { ...PLAIN_REGISTRY, ...options });
}

async function fails(promise: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof TsignError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

const PASSWORD = { username: "alice", password: "s3cret-ü€" };
const BASIC = `Basic ${Buffer.from("alice:s3cret-ü€").toString("base64")}`;

test("token server on the registry's origin: same TLS options, password in UTF-8", async (t) => {
  let port = 0;
  const registry = await serve(
    t,
    (request, response) => {
      if (request.url?.startsWith("/token")) granting(request, response);
      else challenging(`https://localhost:${port}/token`)(request, response);
    },
    { requestCert: true, rejectUnauthorized: false },
  );
  port = registry.port;
  const store = await open(registry.address, { ...PASSWORD, ...CLIENT, allowInsecure: true });
  assert.equal(await store.manifest("v1"), undefined);
  const asked = registry.seen.find(({ request }) => request.startsWith("GET /token"));
  assert.equal(asked?.authorization, BASIC);
  assert.equal(asked?.client, "client");
  assert.match(asked?.request ?? "", /service=s&scope=repository%3Aapp%3Apull&account=alice/);
});

test("images that share connections: one token for each scope, whatever waits for it; a refused token is renewed once", async (t) => {
  let valid = "granted-1";
  let tokens = 0;
  const registry = await serve(t, (request, response) => {
    if (request.url?.startsWith("/token")) {
      tokens++;
      response.end(JSON.stringify({ token: valid }));
    } else if (request.headers.authorization === `Bearer ${valid}`) response.writeHead(404).end();
    else challenging(`http://localhost:${registry.port}/token`)(request, response);
  });
  const connections = new Connections();
  const resolveAll = async (...names: string[]) => {
    const each = names.map(async (name) => {
      const options = { ...PLAIN_REGISTRY, connections };
      const store = await openRegistry(testIo(), parseReference(`${registry.address}/${name}`), options);
      return store.resolve("v1");
    });
    assert.ok((await Promise.all(each)).every((found) => found === undefined));
  };
  await resolveAll("app", "app", "app", "web", "app", "web");
  assert.equal(tokens, 2);
  await resolveAll("app", "web");
  assert.equal(tokens, 2);
  valid = "granted-2";
  await resolveAll("app", "app", "app");
  assert.equal(tokens, 3);
});

test("token server on another host: no client certificate sent, no password over unverified TLS", async (t) => {
  const realm = await serve(t, granting, { requestCert: true, rejectUnauthorized: false });
  const elsewhere = `https://127.0.0.1:${realm.port}/token`;
  const registry = await serve(t, challenging(elsewhere), { requestCert: true, rejectUnauthorized: false });
  const lenient = await open(registry.address, { ...PASSWORD, ...CLIENT, allowInsecure: true });
  await fails(lenient.manifest("v1"), "network", /certificate is self-signed/);
  assert.deepEqual(realm.seen, []);
  const trusting = await open(registry.address, { ...PASSWORD, ...CLIENT, caFile: CA });
  assert.equal(await trusting.manifest("v1"), undefined);
  assert.deepEqual(
    realm.seen.map(({ authorization, client }) => ({ authorization, client })),
    [{ authorization: BASIC, client: undefined }],
  );
  assert.ok(registry.seen.every(({ client }) => client === "client"));
});

test("--registry-cacert: replaces the system's CA certificates", async (t) => {
  const before = process.env["SSL_CERT_FILE"];
  t.after(() => Object.assign(process.env, { SSL_CERT_FILE: before ?? "" }));
  process.env["SSL_CERT_FILE"] = CA;
  const other = join(temporaryFolder(t), "other.pem");
  copyFileSync(new URL("../fixtures/certs/root.pem", import.meta.url), other);
  const registry = await serve(t, absent, {});
  const ask = async (caFile: string) => (await open(registry.address, { caFile })).manifest("v1");
  assert.equal(await ask(""), undefined, "the system trusts it");
  assert.equal(await ask(CA), undefined, "the file does");
  await fails(ask(other), "network", /certificate is self-signed|authority/);
});

test("log in: invalid challenge -> auth error", async (t) => {
  for (const challenge of [
    "Bearer",
    "Bearer realm",
    "Negotiate abc",
    'Bearer service="s"',
    'Bearer realm="ftp://x/t"',
  ]) {
    const registry = await serve(t, (_, response) => response.writeHead(401, { "www-authenticate": challenge }).end());
    await fails((await open(registry.address, PASSWORD)).manifest("v1"), "auth", /log in to localhost/);
  }
});

test("TLS files: invalid, missing or mismatched -> error", async (t) => {
  const folder = temporaryFolder(t);
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const broken = write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const second = write("second.pem", `${fixture("server.pem")}${readFileSync(broken)}`);
  const text = write("text.pem", "a certificate");
  const cases: [Partial<RegistryOptions>, string, RegExp][] = [
    [{ caFile: broken }, "input", /invalid certificate/],
    [{ caFile: second }, "input", /invalid certificate/],
    [{ caFile: text }, "input", /missing PEM block of type CERTIFICATE/],
    [{ caFile: CLIENT.clientKeyFile }, "input", /missing PEM block of type CERTIFICATE/],
    [{ caFile: join(folder, "absent.pem") }, "input", /no such file/],
    [{ clientCertFile: CLIENT.clientCertFile }, "usage", /-cert requires --registry-client-key/],
    [{ clientKeyFile: CLIENT.clientKeyFile }, "usage", /-key requires --registry-client-cert/],
    [{ ...CLIENT, clientKeyFile: join(TLS, "server.key") }, "input", /does not match the certificate/],
    [{ ...CLIENT, clientKeyFile: CLIENT.clientCertFile }, "input", /missing PEM block of type PRIVATE KEY/],
    [
      { ...CLIENT, clientKeyFile: join(TLS, "client-encrypted.key") },
      "input",
      /encrypted private keys are not supported/,
    ],
  ];
  for (const [options, code, message] of cases) await fails(open("localhost:1", options), code, message);
  assert.ok(await open("localhost:1", { caFile: CA, ...CLIENT }));
});

test("registry with TLS: failed handshake -> never retried over http", async (t) => {
  const asked: string[] = [];
  const { http } = testIo();
  const watched: Partial<Io> = {
    http: (request) => {
      asked.push(request.url.protocol);
      return http(request);
    },
  };
  const strict = await serve(t, absent, { requestCert: true, rejectUnauthorized: true });
  const old = await serve(t, absent, { minVersion: "TLSv1", maxVersion: "TLSv1.1" });
  const good = await serve(t, absent, {});
  const trusting = { caFile: CA };
  await fails((await open(strict.address, trusting, watched)).manifest("v1"), "network", /alert certificate required/);
  await fails((await open(old.address, trusting, watched)).manifest("v1"), "network", /alert protocol version/);
  await fails((await open(good.address, {}, watched)).manifest("v1"), "network", /certificate is self-signed/);
  assert.equal(await (await open(good.address, trusting, watched)).manifest("v1"), undefined);
  assert.deepEqual([...new Set(asked)], ["https:"]);
  const plain = await serve(t, absent);
  assert.equal(await (await open(plain.address, trusting, watched)).manifest("v1"), undefined);
  assert.equal(asked.at(-1), "http:");
});

test("check for TLS: sent through the proxy too", async () => {
  const direct: string[] = [];
  const env = { HTTPS_PROXY: "http://proxy.example:3128", HTTP_PROXY: "http://proxy.example:3128" };
  const http = async ({ url, proxy }: HttpRequest) => {
    if (proxy === undefined) direct.push(url.href);
    return { status: 404, headers: {}, body: (async function* () {})(), discard() {} };
  };
  const store = await open("registry.example", { allowInsecure: true }, { env, http });
  assert.equal(await store.manifest("v1"), undefined);
  assert.deepEqual(direct, []);
});

test("answers without a body: connection is reused", async (t) => {
  const registry = await serve(t, absent);
  const store = await open(registry.address);
  for (let round = 0; round < 5; round++) assert.equal(await store.resolve("v1"), undefined);
  assert.ok(registry.connections() <= 2, String(registry.connections())); // one to detect that it is not TLS
});

test("upload: interrupted stream -> error, repeatable stream -> sent again", async (t) => {
  const content = Buffer.from("content");
  const got: string[] = [];
  const registry = await serve(t, async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    if (request.method === "HEAD") response.writeHead(404).end();
    else if (request.method === "POST") response.writeHead(202, { location: "/upload" }).end();
    else response.writeHead(got.push(body) % 2 === 1 ? 503 : 201).end();
  });
  const store = await open(registry.address);
  const blob = { digest: digestOf(content), size: content.length };
  const once = (async function* () {
    yield content;
  })();
  await fails(store.putBlob({ ...blob, chunks: once }), "network", /cannot be resumed/);
  assert.deepEqual(got, ["content"]);
  got.length = 0;
  const often = {
    [Symbol.asyncIterator]: async function* () {
      yield content;
    },
  };
  assert.equal((await store.putBlob({ ...blob, chunks: often })).digest, blob.digest);
  assert.deepEqual(got, ["content", "content"]);
});
