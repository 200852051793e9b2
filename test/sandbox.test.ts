import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import type { Io } from "../src/io/io.ts";
import { shellExports } from "../src/sandbox/server/environment.ts";
import { parseFault } from "../src/sandbox/server/faults.ts";
import { type SandboxOptions, startSandbox } from "../src/sandbox/server/serve.ts";
import { findSandbox, sandboxRegistry } from "../src/sandbox/server/state.ts";
import { BEFORE, ENVIRONMENT, PROGRAM } from "./support/program.ts";
import { run, temporaryFolder, testIo, testRegistry } from "./support/test-io.ts";

/** Runs the program in a separate process, as `sandbox up` requires. */
function tsign(cwd: string, ...given: (string | { HOME: string })[]) {
  const args = given.filter((each) => typeof each === "string");
  const { HOME = cwd } = given.find((each) => typeof each === "object") ?? {};
  const env = { ...ENVIRONMENT, HOME };
  const { status, stdout, stderr } = spawnSync(PROGRAM, [...BEFORE, ...args], { cwd, env, encoding: "utf8" });
  return { code: status, stdout, stderr };
}

test("sandbox up, down: starts in the background, serves and stops", (t) => {
  const cwd = temporaryFolder(t);
  assert.equal(tsign(cwd, "sandbox", "status").code, 1);
  try {
    const up = tsign(cwd, "sandbox", "up");
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stderr, /for learning and tests/);
    assert.match(up.stderr, /Fulcio: +http:\/\/127\.0\.0\.1:\d+\n/);
    assert.match(tsign(cwd, "sandbox", "up").stderr, /a sandbox is already running/);
    const status = tsign(cwd, "sandbox", "status");
    assert.match(status.stdout, /^running: localhost:\d+\n$/);
    assert.match(tsign(cwd, "sandbox", "env").stdout, /^export TSIGN_SANDBOX=localhost:\d+\n/);
    assert.match(tsign(cwd, "sandbox", "token").stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    assert.match(tsign(cwd, "sandbox", "push", "app:v1").stdout, /^localhost:\d+\/app@sha256:[0-9a-f]{64}\n$/);
    assert.match(tsign(cwd, "sandbox", "down").stderr, /Stopped the sandbox/);
    assert.equal(tsign(cwd, "sandbox", "status").code, 1);
  } finally {
    tsign(cwd, "sandbox", "down"); // before its state folder is removed
  }
});

test("sandbox exec: sets the environment and returns the exit code of the command", (t) => {
  const cwd = temporaryFolder(t);
  const inside = tsign(cwd, "sandbox", "exec", "--", "sh", "-c", 'test -n "$TSIGN_SANDBOX" && command -v tsign');
  assert.equal(inside.code, 0, inside.stderr);
  assert.equal(inside.stdout.trim().endsWith("/tsign"), true);
  assert.equal(tsign(cwd, "sandbox", "exec", "--", "sh", "-c", "exit 7").code, 7);
  assert.match(tsign(cwd, "sandbox", "exec", "--", "no-such-program").stderr, /program not found/);
});

/** Lists a folder recursively. */
const contentOf = (folder: string) => readdirSync(folder, { recursive: true }).sort();

test("sandbox up: port in use -> error at once, current folder unchanged", async (t) => {
  const home = temporaryFolder(t);
  const cwd = temporaryFolder(t);
  mkdirSync(join(cwd, "sub"));
  writeFileSync(join(cwd, "sub/file"), "precious");
  const [, port = ""] = (await testRegistry(t)).split(":");
  for (const form of [[], ["--foreground"]]) {
    const started = Date.now();
    const { code, stderr } = tsign(cwd, "sandbox", "up", ...form, `--port=${port}`, "--timeout=20s", { HOME: home });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`listen on 127.0.0.1:${port}: port already in use`));
    assert.ok(Date.now() - started < 8000, "the background tells the reason without waiting");
    assert.deepEqual(contentOf(cwd), ["sub", "sub/file"]);
  }
  const left = contentOf(home).filter((name) => !/^\.cache(\/tsign(\/sandbox\.log)?)?$/.test(String(name)));
  assert.deepEqual(left, []);
});

test("sandbox up: invalid port -> usage error", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "file"), "precious");
  for (const port of ["65536", "99999", "-1", "1e3", "http", "", " 80"]) {
    const { code, stderr } = await run(["sandbox", "up", `--port=${port}`], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /invalid argument ".*" for "--port" flag: expected a whole number/);
  }
  assert.deepEqual(contentOf(cwd), ["file"]);
});

test("sandbox up --state: folder with other files -> refused; folder of a sandbox -> reused", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "file"), "precious");
  const io = testIo({ cwd, env: { HOME: temporaryFolder(t) } });
  const start = (state: string) => startSandbox(io, { port: 0, referrers: true, state });
  await assert.rejects(start(cwd), { code: "input", message: /contains files but no sandbox/ });
  assert.deepEqual(contentOf(cwd), ["file"]);
  for (const _time of ["first", "again"]) {
    const sandbox = await start(join(cwd, "state"));
    await sandbox.close();
    assert.ok(existsSync(join(cwd, "state/port")));
  }
});

test("sandbox: stopped by a signal -> removes its own folder only", async (t) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const home = temporaryFolder(t);
    const cwd = temporaryFolder(t);
    writeFileSync(join(cwd, "file"), "precious");
    const env = { ...ENVIRONMENT, HOME: home };
    const child = spawn(PROGRAM, [...BEFORE, "sandbox", "up", "--foreground"], {
      cwd,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    await new Promise<void>((ready) => {
      child.stderr.on("data", (text) => String(text).includes("sandbox env") && ready());
    });
    const folders = contentOf(join(home, ".cache/tsign"));
    assert.ok(
      folders.some((name) => String(name).startsWith("sandbox-")),
      folders.join(),
    );
    child.kill(signal);
    const [code] = await once(child, "exit");
    assert.equal(code, signal === "SIGINT" ? 130 : 143);
    assert.deepEqual(contentOf(join(home, ".cache/tsign")), []);
    assert.deepEqual(contentOf(cwd), ["file"]);
  }
});

test("findSandbox: state file without a running sandbox -> undefined", async (t) => {
  const cwd = temporaryFolder(t);
  const io = testIo({ cwd });
  await io.files.makeDirectory(".cache/tsign");
  const [, port] = (await testRegistry(t)).split(":");
  for (const state of [`{"port":${port},"token":"guess"}`, '{"port":1,"token":"x"}', "{}"]) {
    await io.files.write(".cache/tsign/sandbox.json", state, { mode: 0o600 });
    assert.equal(await findSandbox(io), undefined, state);
  }
});

test("sandboxRegistry: the server has closed the connection that was left open -> asked again", async (t) => {
  const env = { TSIGN_SANDBOX: "localhost:1" };
  let left = 1;
  const http: Io["http"] = async () => {
    if (left-- > 0) throw new TsignError("network", "read: connection reset");
    return { status: 200, headers: {}, body: (async function* () {})(), discard() {} };
  };
  assert.equal(await sandboxRegistry(testIo({ env, io: { http } })), "localhost:1");
  left = 2;
  await assert.rejects(sandboxRegistry(testIo({ cwd: temporaryFolder(t), env, io: { http } })), { code: "input" });
});

test("sandboxRegistry: TSIGN_SANDBOX of a stopped sandbox -> the running one, or an error", async (t) => {
  const running = await testRegistry(t);
  assert.equal(await sandboxRegistry(testIo({ env: { TSIGN_SANDBOX: running } })), running);
  const stopped = testIo({ cwd: temporaryFolder(t), env: { TSIGN_SANDBOX: "localhost:1" } });
  await assert.rejects(sandboxRegistry(stopped), { code: "input", message: "no sandbox is running" });
});

async function ask(context: TestContext, headers: Record<string, string>, path = "/v2/") {
  const url = new URL(path, `http://${await testRegistry(context)}`);
  const io = testIo();
  const response = await io.http({ url, method: "GET", headers, signal: io.signal });
  response.discard();
  return response.status;
}

test("sandbox: request from a web page -> refused", async (t) => {
  assert.equal(await ask(t, {}), 200);
  assert.equal(await ask(t, { origin: "https://evil.example" }), 403);
  assert.equal(await ask(t, { "sec-fetch-site": "cross-site" }), 403);
  assert.equal(await ask(t, { host: "evil.example" }), 421);
  assert.equal(await ask(t, { host: "localhost.evil.example" }), 421);
});

test("sandbox registry: wrong digest or manifest -> refused", async (t) => {
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

/** A sandbox in this process, and a function that runs commands in it. */
async function inside(context: TestContext, options: Partial<SandboxOptions> = {}) {
  const cwd = temporaryFolder(context);
  const io = testIo({ cwd, env: { HOME: cwd } });
  const sandbox = await startSandbox(io, { port: 0, referrers: true, ...options });
  context.after(() => sandbox.close());
  const env = { HOME: cwd, ...sandbox.variables };
  return { cwd, sandbox, tsign: (...argv: string[]) => run(argv, { cwd, env }) };
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

test("sandbox token: subject, audience and lifetime as requested", async (t) => {
  const { sandbox, tsign } = await inside(t);
  const token = async (...flags: string[]) => claimsOf((await tsign("sandbox", "token", ...flags)).stdout);
  const plain = await token("--email", "alice@example.com");
  assert.deepEqual([plain.email, plain.aud, plain.iss], ["alice@example.com", "sigstore", sandbox.sigstore.at.issuer]);
  const other = await token("--aud", "other", "--ttl=-1m", "--claims", '{"email_verified":false}');
  assert.deepEqual([other.aud, other.exp - other.iat, other.email_verified], ["other", -60, false]);
  assert.equal((await token("--github", "--claims", '{"ref":"refs/tags/v1"}')).ref, "refs/tags/v1");
  assert.equal((await tsign("sandbox", "token", "--github", "--email", "a@b.c")).code, 1);
  const bad = await tsign("sandbox", "token", "--claims", "[]");
  assert.match(bad.stderr, /claims is not a JSON object/);
});

test("sandbox env: evaluates in a shell; every named file exists", async (t) => {
  const { cwd, sandbox, tsign } = await inside(t);
  const { stdout } = await tsign("sandbox", "env");
  for (const [name, value] of Object.entries(sandbox.variables)) {
    assert.ok(stdout.includes(`export ${name}='${value}'\n`) || stdout.includes(`export ${name}=${value}\n`), name);
    if (value.startsWith(cwd) && name !== "TUF_ROOT") assert.ok(existsSync(value), name);
  }
  await sandbox.close();
  assert.equal(existsSync(sandbox.variables["TSIGN_SANDBOX_TRUSTED_ROOT"] ?? ""), false);
  assert.equal(shellExports({ A: "it's" }), "export A='it'\\''s'\n");
});

test("sandbox fault: switches faults on and off", async (t) => {
  const { tsign } = await inside(t, { faults: [parseFault("oidc:status=418*1")] });
  assert.match((await tsign("sandbox", "token")).stderr, /refused the request: failed on purpose/);
  assert.equal((await tsign("sandbox", "token")).code, 0);
  assert.equal((await tsign("sandbox", "fault", "oidc:status=418")).code, 0);
  assert.equal((await tsign("sandbox", "token")).code, 1);
  assert.equal((await tsign("sandbox", "fault", "--clear")).code, 0);
  assert.equal((await tsign("sandbox", "token")).code, 0);
  assert.match((await tsign("sandbox", "fault")).stderr, /a fault or --clear/);
  assert.match((await tsign("sandbox", "fault", "oidc:nonsense")).stderr, /unknown fault/);
});

test("sandbox up --state: port and keys are kept; another port -> refused", async (t) => {
  const state = join(temporaryFolder(t), "state");
  const first = await inside(t, { state });
  await first.sandbox.close();
  const second = await inside(t, { state });
  assert.equal(second.sandbox.port, first.sandbox.port);
  assert.equal(second.sandbox.sigstore.files["trusted_root.json"], first.sandbox.sigstore.files["trusted_root.json"]);
  // The port serves as lock: two sandboxes never write the same state.
  await assert.rejects(inside(t, { state }), /listen on/);
  await second.sandbox.close();
  await assert.rejects(inside(t, { state, port: 1 }), /port mismatch: got 1, want \d+/);
  assert.equal(statSync(state).mode & 0o777, 0o700);
});

test("sandbox up: invalid clock or fault -> nothing starts", async (t) => {
  const cwd = temporaryFolder(t);
  for (const flags of [
    ["--clock", "tomorrow"],
    ["--fault", "x"],
  ]) {
    assert.equal((await run(["sandbox", "exec", ...flags, "--", "true"], { cwd })).code, 1);
  }
});
