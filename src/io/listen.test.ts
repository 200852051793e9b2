import assert from "node:assert/strict";
import { Agent, get } from "node:https";
import { type TestContext, test } from "node:test";
import { tlsAuthority } from "../../test/support/tls-authorities.ts";
import { listen } from "./listen.ts";
import { systemIo } from "./system.ts";

const real = systemIo();

for (const renewal of ["in place", "by another server"] as const) {
  test(`listen: renewed certificates ${renewal} -> for new connections; what was begun is answered`, async (t) => {
    const [first, second] = [tlsAuthority("first"), tlsAuthority("second")];
    let slow = 0;
    const handler = async ({ url }: { url: string }) => {
      if (url === "/slow") slow++;
      if (url === "/slow") await real.sleep(200);
      return { status: 200, headers: url === "/kept" ? {} : { connection: "close" }, body: `answered ${url}` };
    };
    const options = { host: "127.0.0.1", port: 0, tls: first.issue(["127.0.0.1"]) };
    const listening = await listen(options, handler, renewal);
    t.after(() => listening.close());
    const ask = async (path: string, ca: string) => {
      const url = new URL(`https://127.0.0.1:${listening.port}${path}`);
      const { body } = await real.http({
        url,
        method: "GET",
        headers: {},
        tls: { ca },
        signal: AbortSignal.timeout(5000),
      });
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      return Buffer.concat(pieces).toString();
    };
    assert.equal(await ask("/a", first.cert), "answered /a");
    assert.equal(await ask("/kept", first.cert), "answered /kept");
    const begun = ask("/slow", first.cert);
    while (slow < 1) await real.sleep(5);
    const wrong = { cert: second.cert, key: options.tls.key };
    for (const unusable of [wrong, { ...options.tls, cert: "" }, { ...options.tls, key: "" }]) {
      await assert.rejects(listening.renew(unusable), { code: "input" });
    }
    assert.equal(await ask("/b", first.cert), "answered /b", "the earlier ones stay");
    await listening.renew(second.issue(["127.0.0.1"]));
    assert.equal(await ask("/c", second.cert), "answered /c");
    await assert.rejects(ask("/d", first.cert), { code: "network" });
    assert.equal(await begun, "answered /slow");
    await listening.renew(first.issue(["127.0.0.1"]));
    const last = ask("/slow", first.cert);
    while (slow < 2) await real.sleep(5);
    await listening.finish();
    assert.equal(await last, "answered /slow");
    await assert.rejects(ask("/e", first.cert), { code: "network" });
  });
}

/** A server over TLS, and a client that keeps one connection to it. */
async function serveTls(t: TestContext) {
  const authority = tlsAuthority("own");
  const tls = authority.issue(["127.0.0.1"]);
  const held: { answer?: () => void } = {};
  const server = await listen({ host: "127.0.0.1", port: 0, tls }, async ({ url }) => {
    if (url === "/held")
      await new Promise<void>((done) => {
        held.answer = done;
      });
    return { status: 204, headers: url === "/last" ? { connection: "close" } : {} };
  });
  t.after(() => server.close());
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const send = (path: string) =>
    new Promise<{ reused: boolean; alive: string; ended: Promise<unknown> }>((done, fail) => {
      const url = `https://127.0.0.1:${server.port}${path}`;
      const sent = get(url, { agent, ca: authority.cert }, (answer) => {
        const ended = new Promise((closed) => answer.socket.once("close", closed));
        const alive = String(answer.headers["keep-alive"]);
        answer.resume().once("end", () => done({ reused: sent.reusedSocket, alive, ended }));
      }).once("error", fail);
    });
  return { server, held, send };
}

test("listen: an idle connection over TLS is kept for longer than API servers keep theirs; an answer may end it", async (t) => {
  const { send } = await serveTls(t);
  const [first, second] = [await send("/"), await send("/last")];
  const seconds = Number(/^timeout=(\d+)$/.exec(first.alive)?.[1]);
  assert.ok(seconds > 90, first.alive);
  assert.deepEqual([first.reused, second.reused, second.alive], [false, true, "undefined"]);
  await second.ended;
  assert.equal((await send("/")).reused, false);
});

test("listen: at its end idle connections are ended, and those that are in use after their answer", async (t) => {
  const idle = await serveTls(t);
  const { ended } = await idle.send("/");
  await idle.server.finish();
  await ended;
  const busy = await serveTls(t);
  const begun = busy.send("/held");
  while (!busy.held.answer) await real.sleep(1);
  const finished = busy.server.finish();
  busy.held.answer();
  assert.equal((await begun).alive, "undefined");
  await (await begun).ended;
  await finished;
});
