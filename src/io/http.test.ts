import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { TsignError } from "../errors.ts";
import { exchange } from "./http.ts";
import { listen } from "./listen.ts";

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url), "utf8");
const CA = fixture("server.pem");

/** Starts a server that returns 204, with or without TLS, and returns its port. */
async function serve(context: TestContext, scheme: "http" | "https"): Promise<number> {
  if (scheme === "http") {
    const { port, close } = await listen({ host: "127.0.0.1", port: 0 }, async () => ({ status: 204 }));
    context.after(close);
    return port;
  }
  const server = createServer({ cert: CA, key: fixture("server.key") }, (_, response) => response.writeHead(204).end());
  server.on("tlsClientError", () => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

const send = (address: string, tls?: { ca: string }) =>
  exchange(
    {
      url: new URL(address),
      method: "GET",
      headers: {},
      signal: new AbortController().signal,
      ...(tls ? { tls } : {}),
    },
    { systemAuthorities: false },
  );

test("exchange: no server, no TLS, unknown authority -> error names the URL and the reason, hint an imperative", async (t) => {
  const [http, https] = [await serve(t, "http"), await serve(t, "https")];
  const cases: [string, RegExp, RegExp][] = [
    ["http://127.0.0.1:1", /^connect to http:\/\/127\.0\.0\.1:1: connection refused$/, /^check that the server/],
    [`https://localhost:${http}`, /^connect to https:\/\/localhost:\d+: the server does not use TLS$/, /^pass --allow/],
    [`https://localhost:${https}`, /: the server's certificate is self-signed$/, /^set SSL_CERT_FILE/],
  ];
  for (const [address, message, hint] of cases) {
    await assert.rejects(send(address), (error: unknown) => {
      assert.ok(error instanceof TsignError && error.code === "network", address);
      assert.match(error.message, message);
      assert.match(error.hint ?? "", hint);
      return true;
    });
  }
});

test("exchange: running server, trusted certificate -> its answer", async (t) => {
  const [http, https] = [await serve(t, "http"), await serve(t, "https")];
  for (const response of [
    await send(`http://127.0.0.1:${http}`),
    await send(`https://localhost:${https}`, { ca: CA }),
  ]) {
    assert.equal(response.status, 204);
    response.discard();
  }
});

test("listen: port in use -> error names the address, free port -> served", async (t) => {
  const port = await serve(t, "http");
  const handler = async () => ({ status: 204 });
  await assert.rejects(listen({ host: "127.0.0.1", port }, handler), {
    code: "input",
    message: `listen on 127.0.0.1:${port}: port already in use`,
  });
  assert.notEqual(await serve(t, "http"), port);
});
