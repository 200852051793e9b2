import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { findSandbox } from "../src/sandbox/state.ts";
import { temporaryFolder, testIo, testRegistry } from "./support/test-io.ts";

const MAIN = resolve(import.meta.dirname, "../bin/main.ts");

/** The program in a process of its own, as `sandbox up` needs it. */
function tsign(cwd: string, ...args: string[]) {
  const env = { PATH: process.env["PATH"], HOME: cwd };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { cwd, env, encoding: "utf8" });
  return { code: status, stdout, stderr };
}

test("a sandbox starts in the background, serves, and stops", (t) => {
  const cwd = temporaryFolder(t);
  t.after(() => tsign(cwd, "sandbox", "down"));
  assert.equal(tsign(cwd, "sandbox", "status").code, 1);
  const up = tsign(cwd, "sandbox", "up");
  assert.equal(up.code, 0, up.stderr);
  assert.match(up.stderr, /for learning and tests/);
  assert.match(tsign(cwd, "sandbox", "up").stderr, /a sandbox is running/);
  const status = tsign(cwd, "sandbox", "status");
  assert.match(status.stdout, /^running: localhost:\d+\n$/);
  assert.match(tsign(cwd, "sandbox", "env").stdout, /^export TSIGN_SANDBOX=localhost:\d+\n/);
  assert.match(tsign(cwd, "sandbox", "push", "app:v1").stdout, /^localhost:\d+\/app@sha256:[0-9a-f]{64}\n$/);
  assert.match(tsign(cwd, "sandbox", "down").stderr, /Stopped the sandbox/);
  assert.equal(tsign(cwd, "sandbox", "status").code, 1);
});

test("a command inside a sandbox finds it, and its exit code is passed on", (t) => {
  const cwd = temporaryFolder(t);
  const inside = tsign(cwd, "sandbox", "exec", "--", "sh", "-c", 'test -n "$TSIGN_SANDBOX" && command -v tsign');
  assert.equal(inside.code, 0, inside.stderr);
  assert.equal(inside.stdout.trim().endsWith("bin/tsign"), true);
  assert.equal(tsign(cwd, "sandbox", "exec", "--", "sh", "-c", "exit 7").code, 7);
  assert.match(tsign(cwd, "sandbox", "exec", "--", "no-such-program").stderr, /no such program/);
});

test("a file that says a sandbox runs is not believed", async (t) => {
  const cwd = temporaryFolder(t);
  const io = testIo({ cwd });
  await io.files.makeDirectory(".cache/tsign");
  const [, port] = (await testRegistry(t)).split(":");
  for (const state of [`{"port":${port},"token":"guess"}`, '{"port":1,"token":"x"}', "{}"]) {
    await io.files.write(".cache/tsign/sandbox.json", state, { mode: 0o600 });
    assert.equal(await findSandbox(io), undefined, state);
  }
});

async function ask(context: TestContext, headers: Record<string, string>, path = "/v2/") {
  const url = new URL(path, `http://${await testRegistry(context)}`);
  const io = testIo();
  const response = await io.http({ url, method: "GET", headers, signal: io.signal });
  response.discard();
  return response.status;
}

test("the sandbox answers programs of this machine, and no web page", async (t) => {
  assert.equal(await ask(t, {}), 200);
  assert.equal(await ask(t, { origin: "https://evil.example" }), 403);
  assert.equal(await ask(t, { "sec-fetch-site": "cross-site" }), 403);
  assert.equal(await ask(t, { host: "evil.example" }), 421);
  assert.equal(await ask(t, { host: "localhost.evil.example" }), 421);
});

test("the registry checks what it is given", async (t) => {
  const registry = await testRegistry(t);
  const io = testIo();
  const send = async (method: string, path: string, body: string, type = "application/octet-stream") => {
    const bytes = Buffer.from(body);
    const headers = { "content-type": type, "content-length": String(bytes.length) };
    const response = await io.http({
      url: new URL(path, `http://${registry}`),
      method,
      headers,
      body: bytes,
      signal: io.signal,
    });
    response.discard();
    return response.status;
  };
  const wrong = `sha256:${"0".repeat(64)}`;
  assert.equal(await send("POST", `/v2/app/blobs/uploads/?digest=${wrong}`, "content"), 400);
  assert.equal(await send("PUT", "/v2/app/manifests/v1", "not JSON"), 400);
  assert.equal(await send("PUT", `/v2/app/manifests/${wrong}`, "{}"), 400);
  assert.equal(await send("PUT", "/v2/app/manifests/v1", JSON.stringify({ layers: [{ digest: wrong }] })), 400);
  assert.equal(await send("PUT", "/v2/app/manifests/v1", "{}"), 201);
  assert.equal(await send("GET", "/v2/app/manifests/v2", ""), 404);
  assert.equal(await send("GET", "/v2/app/nonsense/x", ""), 404);
});
