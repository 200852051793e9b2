import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { tlsProbe } from "./probe.ts";

const never = new AbortController().signal;

/** Starts a server on a free port; returns its URL and how many connections it had. */
async function serve(t: TestContext, server: Server) {
  let connections = 0;
  server.on("connection", () => connections++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  return { url: new URL(`https://127.0.0.1:${port}`), connections: () => connections };
}

const answering = (answer: (socket: Socket) => unknown) =>
  createServer((socket) => socket.on("error", () => {}).once("data", () => answer(socket)));

test("tlsProbe: a TLS server, even one without a usable certificate -> true", async (t) => {
  for (const options of [{}, { minVersion: "TLSv1.3" }, { maxVersion: "TLSv1.2" }] as const) {
    const { url } = await serve(
      t,
      createTlsServer(options).on("tlsClientError", () => {}),
    );
    assert.equal(await tlsProbe()(url, never), true, JSON.stringify(options));
  }
});

test("tlsProbe: any other answer, and none -> false", async (t) => {
  const answers: ((socket: Socket) => unknown)[] = [
    (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    (socket) => socket.end(),
    (socket) => socket.destroy(),
    (socket) => socket.end(Buffer.from([0x17, 3, 3, 0, 0])),
  ];
  for (const answer of answers) {
    const { url } = await serve(t, answering(answer));
    assert.equal(await tlsProbe()(url, never), false, answer.toString());
  }
  assert.equal(await tlsProbe()(new URL("https://127.0.0.1:1"), never), false, "nothing listens");
});

test("tlsProbe: each server is asked once, and an abort ends the wait", async (t) => {
  const probe = tlsProbe();
  const plain = await serve(
    t,
    answering((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
  );
  assert.deepEqual(await Promise.all([probe(plain.url, never), probe(plain.url, never)]), [false, false]);
  assert.equal(await probe(plain.url, never), false);
  assert.equal(plain.connections(), 1);
  let silent = true;
  const slow = await serve(
    t,
    answering((socket) => silent || socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 40]))),
  );
  const stop = new AbortController();
  const waiting = probe(slow.url, stop.signal);
  stop.abort();
  assert.equal(await waiting, false);
  silent = false;
  assert.equal(await probe(slow.url, never), true, "an abort is not an answer");
});
