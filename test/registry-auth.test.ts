import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import type { Io } from "../src/io/io.ts";
import { parseRepository } from "../src/oci/ref.ts";
import { findCredentials } from "../src/oci/registry/keychain.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { run, type TestOptions, temporaryFolder, testIo } from "./support/test-io.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const ME = { kind: "password", username: "me", password: "s:ecret" };
const AUTH = { auth: base64("me:s:ecret") };

/** Finds credentials for an image, with a given docker configuration and responses of helpers. */
async function lookUp(context: TestContext, image: string, config: unknown, options: TestOptions = {}) {
  const cwd = temporaryFolder(context);
  mkdirSync(join(cwd, ".docker"));
  writeFileSync(join(cwd, ".docker/config.json"), JSON.stringify(config));
  return findCredentials(testIo({ cwd, ...options }), parseRepository(image));
}

test("findCredentials: keys of docker's configuration match the whole host only", async (t) => {
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

test("findCredentials: every kind of entry is read, an invalid one is an error", async (t) => {
  const image = "registry.example/app";
  const entry = (auth: unknown) => lookUp(t, image, { auths: { "registry.example": auth } });
  assert.deepEqual(await entry({ username: "me", password: "s:ecret" }), ME);
  assert.deepEqual(await entry({ identitytoken: "refresh" }), { kind: "refresh-token", token: "refresh" });
  assert.deepEqual(await entry({ registrytoken: "bearer" }), { kind: "bearer", token: "bearer" });
  assert.deepEqual(await entry({}), { kind: "anonymous" });
  await assert.rejects(entry({ auth: base64("no colon") }), /not user:password/);
  await assert.rejects(
    lookUp(t, image, { auths: { "registry.example": "text" } }),
    /docker configuration .*: invalid auths/,
  );
  const invalid: [unknown, RegExp][] = [
    [[], /invalid content$/],
    ["text", /invalid content$/],
    [{ auths: [] }, /invalid auths$/],
    [{ auths: { "a.example": [] } }, /invalid auths\.a\.example$/],
    [{ auths: { "a.example": null, "b.example": { auth: 1 } } }, /invalid auths\.b\.example\.auth$/],
    [{ auths: { "a.example": { IdentityToken: {} } } }, /invalid auths\.a\.example\.identitytoken$/],
    [{ credsStore: {} }, /invalid credsStore$/],
    [{ CREDHELPERS: "text" }, /invalid credHelpers$/],
    [{ credHelpers: { "a.example": 1 } }, /invalid credHelpers\.a\.example$/],
  ];
  for (const [config, message] of invalid) await assert.rejects(lookUp(t, image, config), message, String(message));
  const absent = { auths: { "registry.example": null }, credsStore: null, credHelpers: null, other: 1 };
  for (const config of [absent, { auths: null }, {}]) {
    assert.deepEqual(await lookUp(t, image, config), { kind: "anonymous" });
  }
});

test("findCredentials: podman's file is read when docker's does not exist", async (t) => {
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

test("findCredentials: a failing credential helper -> its message is shown without secrets", async (t) => {
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
  for (const [words, shown] of [
    ["vault is locked:\n\u001b[31mrun foo unlock", "vault is locked: [31mrun foo unlock"],
    ['{"Username":"me","Secret":"s:ecret"}', '{"Username":"me","Secret":…'],
    ["bad token=s:ecret", "bad token=…"],
    ["rejected dckr_pat_A1b2C3d4E5f6G7h8I9 by the server", "rejected … by the server"],
  ] as const) {
    for (const said of [
      { stdout: words, stderr: "" },
      { stdout: "", stderr: words },
    ]) {
      answer = { code: 1, ...said };
      await assert.rejects(ask("registry.example/app"), (error) => {
        assert.ok(error instanceof TsignError && error.code === "auth");
        assert.doesNotMatch(error.message + error.hint, /s:ecret|A1b2C3/);
        assert.ok(error.message.endsWith(`for registry.example: ${shown}`), error.message);
        return true;
      });
    }
  }
  const evil = { credHelpers: { "registry.example": "../../bin/sh" } };
  await assert.rejects(
    lookUp(t, "registry.example/app", evil, { io: { spawn } }),
    /not a valid credential helper name/,
  );
});

/** Registries under any name that require one user name and password; records requests by host and path. */
function askingRegistries(scheme: "basic" | "bearer" | "none" = "basic") {
  const asked: string[] = [];
  const http: Io["http"] = async ({ url, headers }) => {
    asked.push(`${url.host}${url.pathname}${url.search}`);
    const { authorization = "" } = headers;
    const basic = authorization === `Basic ${base64("me:s:ecret")}`;
    const body = (async function* () {
      if (url.pathname === "/token" && basic) yield Buffer.from('{"token":"sesame"}');
    })();
    const challenge = scheme === "basic" ? 'Basic realm="x"' : `Bearer realm="https://${url.host}/token",service="x"`;
    const good =
      scheme === "none" ||
      (scheme === "basic" || url.pathname === "/token" ? basic : authorization === "Bearer sesame");
    return { status: good ? 200 : 401, headers: good ? {} : { "www-authenticate": challenge }, body, discard() {} };
  };
  return { http, asked };
}

test("login: right password -> stored in docker's configuration, other fields kept", async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, ".docker/config.json");
  const { http, asked } = askingRegistries();
  const login = (argv: string[], stdin = "") => run(["login", ...argv], { cwd, stdin, io: { http } });
  const done = await login(["https://registry.example/v2/", "-u", "me", "--password-stdin"], "s:ecret\n");
  assert.equal(done.code, 0, done.stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), HttpHeaders: { a: "b" } }));
  assert.equal((await login(["docker.io", "-u", "me", "-p", "s:ecret"])).code, 0);
  const config = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual(config.auths, { "registry.example": AUTH, "https://index.docker.io/v1/": AUTH });
  assert.deepEqual(config.HttpHeaders, { a: "b" });
  assert.ok(asked.includes("registry-1.docker.io/v2/"), asked.join());
  assert.equal((await login(["registry.example"])).code, 1);
  assert.match((await login(["BAD!!", "-u", "me", "-p", "x"])).stderr, /"BAD!!" is not a registry\n/);
  assert.equal((await login(["registry.example", "-p", "x", "--password-stdin"])).code, 1);
  assert.match((await login(["registry.example", "-u", "m:e", "-p", "x"])).stderr, /contains a colon/);
  const { stdout, stderr } = await login(["registry.example", "-u", "me", "-p", "s:ecret"]);
  assert.doesNotMatch(stdout + stderr, /ecret/);
});

test("login: wrong password or dead registry -> different errors, nothing stored", async (t) => {
  for (const scheme of ["basic", "bearer"] as const) {
    const cwd = temporaryFolder(t);
    const { http, asked } = askingRegistries(scheme);
    const login = (...argv: string[]) => run(["login", "registry.example", "-u", "me", ...argv], { cwd, io: { http } });
    const wrong = await login("-p", "wr0ng-password");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^Error: log in to registry\.example: .* returned 401$/m);
    assert.doesNotMatch(wrong.stderr, /wr0ng/);
    assert.equal(existsSync(join(cwd, ".docker/config.json")), false);
    assert.equal((await login("-p", "s:ecret")).code, 0);
    if (scheme === "bearer")
      assert.ok(
        asked.every((each) => !each.includes("scope=")),
        "a login asks for no rights",
      );
  }
  const cwd = temporaryFolder(t);
  const dead: Io["http"] = () => Promise.reject(new TsignError("network", "connection refused"));
  const none = await run(["login", "registry.example", "-u", "me", "-p", "s:ecret"], { cwd, io: { http: dead } });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /connection refused/);
  assert.equal(existsSync(join(cwd, ".docker/config.json")), false);
  const open = await run(["login", "registry.example", "-u", "me", "-p", "s:ecret"], {
    cwd,
    io: askingRegistries("none"),
  });
  assert.equal(open.code, 0);
  assert.match(open.stderr, /the password was not checked/);
});

test("login: missing user name or password -> prompted on a terminal, refused elsewhere", async (t) => {
  const cwd = temporaryFolder(t);
  const file = join(cwd, ".docker/config.json");
  const { http } = askingRegistries();
  for (const argv of [[], ["-u", "me"], ["-u", "me", "-p", ""], ["-u", "me", "--password-stdin"], ["-p", "s:ecret"]]) {
    const { code, stderr } = await run(["login", "registry.example", ...argv], { cwd, io: { http } });
    assert.equal(code, 1);
    assert.match(stderr, /username and password required/);
  }
  assert.equal(existsSync(file), false);
  const questions: [string, boolean][] = [];
  const prompt = async (question: string, { secret }: { secret: boolean }) => {
    questions.push([question, secret]);
    return secret ? "s:ecret" : "me\n";
  };
  const tty = { stdin: true, prompt };
  assert.equal((await run(["login", "registry.example"], { cwd, tty, io: { http } })).code, 0);
  assert.deepEqual(questions, [
    ["Username: ", false],
    ["Password: ", true],
  ]);
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")).auths, { "registry.example": AUTH });
  questions.length = 0;
  assert.equal((await run(["login", "registry.example", "-u", "me"], { cwd, tty, io: { http } })).code, 0);
  assert.deepEqual(questions, [["Password: ", true]]);
});

test("login, logout: credential helper -> used, and its error message shown", async (t) => {
  const cwd = temporaryFolder(t);
  mkdirSync(join(cwd, ".docker"));
  const file = join(cwd, ".docker/config.json");
  const config = JSON.stringify({
    credsStore: "main",
    credHelpers: { "own.example": "own" },
    auths: { "own.example": {} },
  });
  writeFileSync(file, config);
  const { http } = askingRegistries();
  const calls: [string, string, string][] = [];
  let answer = { code: 0, stdout: "", stderr: "" };
  const spawn: Io["spawn"] = async (program, [action = ""], options) => {
    calls.push([program, action, String(options?.stdin)]);
    return answer;
  };
  const tsign = (...argv: string[]) => run(argv, { cwd, io: { http, spawn } });
  assert.equal((await tsign("login", "own.example", "-u", "me", "-p", "s:ecret")).code, 0);
  assert.equal((await tsign("login", "docker.io", "-u", "me", "-p", "s:ecret")).code, 0);
  const stored = (ServerURL: string) => JSON.stringify({ ServerURL, Username: "me", Secret: "s:ecret" });
  assert.deepEqual(calls, [
    ["docker-credential-own", "store", stored("own.example")],
    ["docker-credential-main", "store", stored("https://index.docker.io/v1/")],
  ]);
  assert.equal(readFileSync(file, "utf8"), config, "a helper keeps the password");
  answer = { code: 1, stdout: "vault is locked: run foo unlock\n", stderr: "" };
  const locked = await tsign("login", "own.example", "-u", "me", "-p", "s:ecret");
  assert.match(locked.stderr, /Error: run docker-credential-own store: vault is locked: run foo unlock\n/);
  answer = { code: 1, stdout: "bad secret s:ecret", stderr: "" };
  assert.doesNotMatch((await tsign("login", "own.example", "-u", "me", "-p", "s:ecret")).stderr, /ecret/);

  calls.length = 0;
  answer = { code: 0, stdout: "", stderr: "" };
  const out = await tsign("logout", "own.example");
  assert.equal(out.code, 0, out.stderr);
  assert.deepEqual(calls, [["docker-credential-own", "erase", "own.example"]]);
  assert.match(out.stderr, /from docker-credential-own\n/);
  assert.deepEqual(JSON.parse(readFileSync(file, "utf8")).auths, {});
  answer = { code: 1, stdout: "credentials not found in native keychain", stderr: "" };
  const nothing = await tsign("logout", "other.example");
  assert.deepEqual([nothing.code, nothing.stderr], [0, "Not logged in to other.example\n"]);
  answer = { code: 1, stdout: "vault is locked", stderr: "" };
  const failed = await tsign("logout", "own.example");
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /run docker-credential-own erase: vault is locked/);
});

test("logout: every spelling of the registry is removed, and nothing else", async (t) => {
  const cwd = temporaryFolder(t);
  mkdirSync(join(cwd, ".docker"));
  const file = join(cwd, ".docker/config.json");
  const keys = (host: string) => [host, `${host}/`, `https://${host}`, `http://${host}/v1/`, `https://${host}/v2/`];
  const others = [
    "registry.example:5000",
    "other.example",
    "sub.registry.example",
    "registry.example/team",
    "https://index.docker.io/v1/",
  ];
  const auths = Object.fromEntries([...keys("registry.example"), ...others].map((key) => [key, AUTH]));
  writeFileSync(file, JSON.stringify({ HttpHeaders: { a: "b" }, auths }));
  const logout = (registry: string) => run(["logout", registry], { cwd });
  assert.match(
    (await logout("https://registry.example/v2/")).stderr,
    /^Removed the login of registry\.example from .*config\.json\n$/,
  );
  const left = JSON.parse(readFileSync(file, "utf8"));
  assert.deepEqual(Object.keys(left.auths), others);
  assert.deepEqual(left.HttpHeaders, { a: "b" });
  assert.equal((await logout("docker.io")).code, 0);
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(file, "utf8")).auths), others.slice(0, -1));
  assert.deepEqual(await logout("docker.io"), { code: 0, stdout: "", stderr: "Not logged in to index.docker.io\n" });
  assert.equal((await logout("BAD!!")).code, 1);
  assert.equal((await run(["logout", "x.example"], { cwd: temporaryFolder(t) })).code, 0);
});

test("registries with Basic and Bearer: flags or a stored login are accepted, nothing else", async (t) => {
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

test("HTTPS_PROXY and HTTP_PROXY: registry requests go through the proxy", async (t) => {
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
