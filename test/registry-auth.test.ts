import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import type { Io } from "../src/io.ts";
import { parseRepository } from "../src/oci/ref.ts";
import { findCredentials } from "../src/oci/registry/keychain.ts";
import { createRegistryHandler } from "../src/sandbox/registry.ts";
import { run, type TestOptions, temporaryFolder, testIo } from "./support/test-io.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const ME = { kind: "password", username: "me", password: "s:ecret" };
const AUTH = { auth: base64("me:s:ecret") };

/** Credentials for an image, given docker's configuration and what helpers answer. */
async function lookUp(context: TestContext, image: string, config: unknown, options: TestOptions = {}) {
  const cwd = temporaryFolder(context);
  mkdirSync(join(cwd, ".docker"));
  writeFileSync(join(cwd, ".docker/config.json"), JSON.stringify(config));
  return findCredentials(testIo({ cwd, ...options }), parseRepository(image));
}

test("docker's configuration is looked up by the whole host", async (t) => {
  const cases: [string, string, boolean][] = [
    ["registry.example", "registry.example/app", true],
    ["https://registry.example", "registry.example/app", true],
    ["https://registry.example/v1/", "registry.example/app", true],
    ["registry.example:5000", "registry.example:5000/app", true],
    ["https://index.docker.io/v1/", "ubuntu", true],
    ["docker.io", "me/app", true],
    ["registry.example/team", "registry.example/team/app", true],
    ["registry.example/team/app", "registry.example/team/app", true],
    ["registry.example", "evil-registry.example/app", false],
    ["registry.example", "registry.example.evil/app", false],
    ["registry.example", "registry.example:5000/app", false],
    ["registry.example:5000", "registry.example/app", false],
    ["registry.example/team", "registry.example/teammate/app", false],
    ["__proto__", "constructor.example/app", false],
  ];
  for (const [key, image, found] of cases) {
    const credentials = await lookUp(t, image, { auths: { [key]: AUTH } });
    assert.deepEqual(credentials, found ? ME : { kind: "anonymous" }, `${key} for ${image}`);
  }
});

test("every kind of entry is understood, and a broken one is an error", async (t) => {
  const image = "registry.example/app";
  const entry = (auth: unknown) => lookUp(t, image, { auths: { "registry.example": auth } });
  assert.deepEqual(await entry({ username: "me", password: "s:ecret" }), ME);
  assert.deepEqual(await entry({ identitytoken: "refresh" }), { kind: "refresh-token", token: "refresh" });
  assert.deepEqual(await entry({ registrytoken: "bearer" }), { kind: "bearer", token: "bearer" });
  assert.deepEqual(await entry({}), { kind: "anonymous" });
  await assert.rejects(entry({ auth: base64("no colon") }), /not user:password/);
  await assert.rejects(lookUp(t, image, { auths: { "registry.example": "text" } }), /not a docker configuration/);
});

test("podman's file counts when docker's is not there", async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, "auth.json");
  writeFileSync(file, JSON.stringify({ auths: { "registry.example": AUTH } }));
  const repository = parseRepository("registry.example/app");
  assert.deepEqual(await findCredentials(testIo({ cwd, env: { REGISTRY_AUTH_FILE: file } }), repository), ME);
  mkdirSync(join(cwd, "run/containers"), { recursive: true });
  writeFileSync(join(cwd, "run/containers/auth.json"), JSON.stringify({ auths: { "registry.example": AUTH } }));
  assert.deepEqual(await findCredentials(testIo({ cwd, env: { XDG_RUNTIME_DIR: join(cwd, "run") } }), repository), ME);
  assert.deepEqual(await findCredentials(testIo({ cwd }), repository), { kind: "anonymous" });
  mkdirSync(join(cwd, "other"));
  writeFileSync(join(cwd, "other/config.json"), JSON.stringify({ auths: {} }));
  const env = { DOCKER_CONFIG: join(cwd, "other"), REGISTRY_AUTH_FILE: file };
  assert.deepEqual(await findCredentials(testIo({ cwd, env }), repository), { kind: "anonymous" });
});

test("credential helpers are asked, and what they say is understood", async (t) => {
  const asked: string[] = [];
  let answer: { code: number; stdout: string; stderr: string } = { code: 0, stdout: "", stderr: "" };
  const spawn: Io["spawn"] = async (file, args, options) => {
    asked.push(`${file} ${args.join(" ")} < ${options?.stdin}`);
    return answer;
  };
  const config = { credsStore: "desktop", credHelpers: { "registry.example": "ecr" } };
  const ask = (image: string) => lookUp(t, image, config, { io: { spawn } });
  answer = { code: 0, stdout: JSON.stringify({ Username: "me", Secret: "s:ecret" }), stderr: "" };
  assert.deepEqual(await ask("registry.example/app"), ME);
  assert.deepEqual(await ask("ubuntu"), ME);
  assert.deepEqual(asked, [
    "docker-credential-ecr get < registry.example",
    "docker-credential-desktop get < https://index.docker.io/v1/",
  ]);
  answer = { code: 0, stdout: JSON.stringify({ Username: "<token>", Secret: "refresh" }), stderr: "" };
  assert.deepEqual(await ask("registry.example/app"), { kind: "refresh-token", token: "refresh" });
  answer = { code: 0, stdout: JSON.stringify({ Username: "", Secret: "" }), stderr: "" };
  assert.deepEqual(await ask("registry.example/app"), { kind: "anonymous" });
  answer = { code: 1, stdout: "credentials not found in native keychain\n", stderr: "" };
  assert.deepEqual(await ask("registry.example/app"), { kind: "anonymous" });
  answer = { code: 1, stdout: "the keychain is locked, s:ecret", stderr: "" };
  await assert.rejects(ask("registry.example/app"), (error) => {
    assert.ok(error instanceof TsignError && error.code === "auth");
    assert.doesNotMatch(error.message + error.hint, /ecret"|s:ecret/);
    return true;
  });
  const evil = { credHelpers: { "registry.example": "../../bin/sh" } };
  await assert.rejects(lookUp(t, "registry.example/app", evil, { io: { spawn } }), /not a credential helper's name/);
});

test("login writes what docker reads, and keeps what else is there", async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, ".docker/config.json");
  const login = (argv: string[], stdin = "") => run(["login", ...argv], { cwd, stdin });
  const done = await login(["registry.example", "-u", "me", "--password-stdin"], "s:ecret\n");
  assert.equal(done.code, 0, done.stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), HttpHeaders: { a: "b" } }));
  assert.equal((await login(["docker.io", "-u", "me", "-p", "s:ecret"])).code, 0);
  const config = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual(config.auths, { "registry.example": AUTH, "https://index.docker.io/v1/": AUTH });
  assert.deepEqual(config.HttpHeaders, { a: "b" });
  assert.equal((await login(["registry.example"])).code, 1);
  assert.match((await login(["BAD!!", "-u", "me", "-p", "x"])).stderr, /"BAD!!" is not a registry\n/);
  assert.equal((await login(["registry.example", "-p", "x", "--password-stdin"])).code, 1);
  const { stdout, stderr } = await login(["registry.example", "-u", "me", "-p", "s:ecret"]);
  assert.doesNotMatch(stdout + stderr, /ecret/);
});

test("login without a password asks a person, and never stores an empty one", async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, ".docker/config.json");
  for (const argv of [
    ["-u", "me"],
    ["-u", "me", "-p", ""],
    ["-u", "me", "--password-stdin"],
  ]) {
    const { code, stderr } = await run(["login", "registry.example", ...argv], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /username and password required/);
  }
  assert.equal(existsSync(file), false);
  const tty = { stdin: true, prompt: async () => "s:ecret" };
  assert.equal((await run(["login", "registry.example", "-u", "me"], { cwd, tty })).code, 0);
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")).auths, { "registry.example": AUTH });
});

test("basic and bearer registries: the flags, the stored login, and nothing else opens them", async (t) => {
  for (const scheme of ["basic", "bearer"]) {
    const cwd = temporaryFolder(t);
    const open = createRegistryHandler({ referrers: true });
    const { port, close } = await testIo().listen({ host: "127.0.0.1", port: 0 }, async (request) => {
      const { authorization = "", host } = request.headers;
      const basic = `Basic ${base64("me:s:ecret")}`;
      if (request.url.startsWith("/token")) {
        return authorization === basic ? { status: 200, body: '{"token":"sesame"}' } : { status: 401 };
      }
      const challenge = scheme === "basic" ? 'Basic realm="x"' : `Bearer realm="http://${host}/token",service="x"`;
      const good = authorization === (scheme === "basic" ? basic : "Bearer sesame");
      return good ? open(request) : { status: 401, headers: { "www-authenticate": challenge } };
    });
    t.after(close);
    const registry = `localhost:${port}`;
    const env = { TSIGN_SANDBOX: registry };
    const push = (...flags: string[]) => run(["sandbox", "push", "app:v1", ...flags], { cwd, env });
    const password = (text: string) => ["--registry-username", "me", "--registry-password", text];
    assert.equal((await push()).code, 1);
    const wrong = await push(...password("wrong"));
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /hint: .*tsign login/);
    assert.doesNotMatch(wrong.stderr, /wrong/);
    assert.equal((await push(...password("s:ecret"))).code, 0);
    assert.equal((await push("--registry-token", "sesame")).code, scheme === "bearer" ? 0 : 1);
    assert.equal((await run(["login", registry, "-u", "me", "-p", "s:ecret"], { cwd })).code, 0);
    assert.equal((await push()).code, 0);
  }
});

test("requests go through the proxy that the environment names", async (t) => {
  const cwd = temporaryFolder(t);
  const handler = createRegistryHandler({ referrers: true });
  const seen: string[] = [];
  const { port, close } = await testIo().listen({ host: "127.0.0.1", port: 0 }, (request) => {
    seen.push(request.url);
    const { pathname, search } = new URL(request.url);
    return handler({ ...request, url: pathname + search, headers: { ...request.headers, host: "localhost" } });
  });
  t.after(close);
  const env = { TSIGN_SANDBOX: "registry.example", HTTP_PROXY: `http://127.0.0.1:${port}` };
  const pushed = await run(["sandbox", "push", "app:v1", "--allow-http-registry"], { cwd, env });
  assert.equal(pushed.code, 0, pushed.stderr);
  assert.ok(seen.length > 0 && seen.every((url) => url.startsWith("http://registry.example/v2/")), String(seen));
});
