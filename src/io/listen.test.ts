import assert from "node:assert/strict";
import { Agent, get } from "node:https";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import { tlsAuthority } from "../../test/support/tls-authorities.ts";
import { listen } from "./listen.ts";
import { systemIo } from "./system.ts";

const real = systemIo();
const turns = async (count: number) => {
  for (let each = 0; each < count; each++) await new Promise((done) => setImmediate(done));
};

test("listen: renewed certificates -> for new connections; what was begun is answered", async (t) => {
  const [first, second] = [tlsAuthority("first"), tlsAuthority("second")];
  let slow = 0;
  const handler = async ({ url }: { url: string }) => {
    if (url === "/slow") slow++;
    if (url === "/slow") await real.sleep(200);
    return { status: 200, headers: url === "/kept" ? {} : { connection: "close" }, body: `answered ${url}` };
  };
  const options = { host: "127.0.0.1", port: 0, tls: first.issue(["127.0.0.1"]) };
  const listening = await listen(options, handler);
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

/** A server over TLS, and a client that keeps one connection to it. */
async function serveTls(t: TestContext) {
  const authority = tlsAuthority("own");
  const other = tlsAuthority("other");
  const tls = authority.issue(["127.0.0.1"]);
  const held: { answer?: () => void } = {};
  const asked: string[] = [];
  const server = await listen({ host: "127.0.0.1", port: 0, tls }, async ({ url, body }) => {
    asked.push(url);
    if (url === "/read") for await (const _ of body);
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
  const renew = () => server.renew(other.issue(["127.0.0.1"]));
  return { server, held, asked, send, renew, ca: authority.cert };
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

test("listen: renewed certificates -> open connections stay, whether they are idle or in use", async (t) => {
  const { held, send, renew } = await serveTls(t);
  await send("/");
  await renew();
  assert.equal((await send("/")).reused, true);
  const begun = send("/held");
  while (!held.answer) await real.sleep(1);
  await renew();
  held.answer();
  const { reused, alive } = await begun;
  assert.deepEqual([reused, alive], [true, "timeout=120"]);
  assert.equal((await send("/")).reused, true);
});

test("listen: a request that is not sent in 30 s, or an idle connection after 120 s -> it ends; a slow answer ends none", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { server, held, asked, send, ca } = await serveTls(t);
  const open = async (text: string) => {
    const socket = connect({ host: "127.0.0.1", port: server.port, ca });
    t.after(() => socket.destroy());
    const ended = new Promise<void>((done) => socket.resume().once("close", () => done()));
    await new Promise<void>((done) => socket.once("secureConnect", done));
    socket.write(text);
    return { ended };
  };
  const isOpen = ({ ended }: { ended: Promise<unknown> }) =>
    Promise.race([ended.then(() => false), turns(50).then(() => true)]);
  const silent = await open("");
  const half = await open("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
  const idle = await send("/");
  while (!asked.includes("/read")) await turns(1);
  t.mock.timers.tick(29_999);
  assert.deepEqual(await Promise.all([silent, half, idle].map(isOpen)), [true, true, true]);
  t.mock.timers.tick(1);
  await Promise.all([silent.ended, half.ended]);
  const begun = send("/held");
  while (!held.answer) await turns(1);
  t.mock.timers.tick(200_000);
  held.answer();
  const last = await begun;
  assert.equal(last.reused, true);
  t.mock.timers.tick(119_999);
  assert.equal(await isOpen(last), true);
  t.mock.timers.tick(1);
  await last.ended;
});
