import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { HttpRequest, HttpResponse } from "../src/io/io.ts";
import { systemIo } from "../src/io/system.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { withAuth } from "../src/sandbox/registry/auth.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { testSigstore } from "./support/sandbox.ts";
import { PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const real = systemIo();
const HOUR = 3_600_000;

/** Waits as long as for a deadline, but not before another attempt. */
const hurried = (milliseconds: number, signal?: AbortSignal) =>
  real.sleep(milliseconds < 10_000 ? 1 : milliseconds, signal);

interface Check {
  check: string;
  subject: string;
  state: string;
  detail: string;
  hint?: string;
  code?: string;
}

/** All services, an image, and a clock that this machine's clock may differ from. */
async function workshop(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "tuf_root.json"), sigstore.files["tuf_root.json"]);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "rekor1.json"), sigstore.signingConfig.rekor1Tsa);
  const ref = parseReference(`${sigstore.registry}/team/app:v1`);
  const store = await openRegistry(testIo({ cwd, io: sigstore.io }), ref, PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("app"), tag: "v1" });
  const usual = { TUF_MIRROR: sigstore.at.tuf, TUF_ROOT_JSON: join(cwd, "tuf_root.json") };
  const sent: string[] = [];
  const http = async (request: HttpRequest): Promise<HttpResponse> => {
    sent.push(`${request.method} ${request.url.pathname}`);
    const response = await sigstore.io.http(request);
    return { ...response, headers: { date: new Date().toUTCString(), ...response.headers } };
  };
  /** Runs `doctor`, with this machine's clock ahead by some milliseconds. */
  const doctor = async (args: string[], options: { env?: Record<string, string>; ahead?: number } = {}) => {
    const { env = {}, ahead = 0 } = options;
    const io = { http, now: () => new Date(Date.now() + ahead), sleep: hurried };
    const outcome = await run(["doctor", "--json", ...args], { cwd, env: { ...usual, ...env }, io });
    const { document } = jsonAnswer(outcome, "doctor");
    assert.ok(document.result, JSON.stringify(document.error));
    const { checks } = document.result as unknown as { checks: Check[] };
    const text = await run(["doctor", ...args], { cwd, env: { ...usual, ...env }, io });
    assert.equal(text.code, outcome.code);
    for (const { detail, hint = "" } of checks) {
      if (!/ahead of|behind|expire/.test(detail)) assert.ok(text.stdout.includes(detail), `${detail}: ${text.stdout}`);
      if (!/which is at/.test(hint)) assert.ok(text.stdout.includes(hint));
    }
    return {
      code: outcome.code,
      error: document.error,
      checks,
      of: (check: string) => checks.filter((each) => each.check === check),
    };
  };
  return { doctor, sigstore, cwd, image: ref.original, digest, sent };
}

/** Checks that one check failed, with a hint and a code, and that the others did not. */
function assertOnly(outcome: { code: number; checks: Check[] }, name: string, detail: RegExp, hint: RegExp) {
  assert.equal(outcome.code, 1);
  const bad = outcome.checks.filter(({ state }) => state === "failed");
  assert.deepEqual([...new Set(bad.map(({ check }) => check))], [name], JSON.stringify(bad));
  for (const each of bad) {
    assert.match(each.detail, detail);
    assert.match(each.hint ?? "", hint);
    assert.notEqual(each.code, undefined);
  }
}

test("doctor: everything is in order -> exit 0, every check is listed, nothing is written", async (t) => {
  const { doctor, image, digest, cwd, sent } = await workshop(t);
  const before = readdirSync(cwd, { recursive: true });
  sent.length = 0;
  const { code, checks } = await doctor([image]);
  assert.equal(code, 0);
  assert.deepEqual(
    checks.filter(({ state }) => state !== "ok"),
    [],
  );
  const names = [
    "registry",
    "login",
    "referrers",
    "trust",
    "signing config",
    "service",
    "service",
    "service",
    "service",
  ];
  assert.deepEqual(
    checks.map(({ check }) => check),
    [...names, "proxy", "clock"],
  );
  const details = checks.map(({ check, subject, detail }) => `${check} ${subject}: ${detail}`).join("\n");
  assert.match(details, new RegExp(`registry 127.0.0.1:1: has 127.0.0.1:1/team/app@${digest}`));
  assert.match(details, /login \S+: not needed/);
  assert.match(details, /referrers \S+: listed by the referrers API, 0 attached/);
  assert.match(details, /TUF root version 1 expires at \d{4}-/);
  assert.match(details, /service Fulcio 127/);
  assert.match(details, /service OIDC issuer 127/);
  assert.match(details, /service Rekor v2 127\.0\.0\.1:1: answers, tree size \d+/);
  assert.match(details, /service timestamp authority 127/);
  assert.deepEqual(readdirSync(cwd, { recursive: true }), before);
  assert.deepEqual(
    [...new Set(sent.filter((each) => !/^(GET|HEAD) /.test(each)))].map((each) => /timestamp|tsa/.test(each)),
    [true],
    "only the timestamp authority gets a POST",
  );
});

test("doctor with files, without an image -> no registry and no TUF is asked", async (t) => {
  const { doctor, sent } = await workshop(t);
  sent.length = 0;
  const { code, checks } = await doctor(["--signing-config=rekor1.json", "--trusted-root=root.json"]);
  assert.equal(code, 0, JSON.stringify(checks));
  assert.ok(!sent.some((each) => /\/v2\/team|\/tuf\//.test(each)), sent.join());
  assert.match(
    checks.map(({ subject }) => subject).join(),
    /root\.json,rekor1\.json,Fulcio \S+,OIDC issuer \S+,Rekor 127/,
  );
});

test("doctor: a registry that is not there -> registry fails, the rest of it is skipped", async (t) => {
  const { doctor } = await workshop(t);
  const closed = await real.listen({ host: "127.0.0.1", port: 0 }, async () => ({ status: 200 }));
  await closed.close();
  const outcome = await doctor([`localhost:${closed.port}/app:v1`]);
  assertOnly(outcome, "registry", /connect|refused/, /check/);
  assert.deepEqual(outcome.of("login")[0]?.state, "skipped");
  assert.deepEqual(outcome.of("referrers")[0]?.state, "skipped");
  assert.match(outcome.error?.message ?? "", /^1 of \d+ checks failed: registry$/);
});

test("doctor: an image that is not there -> registry fails", async (t) => {
  const { doctor, image } = await workshop(t);
  assertOnly(await doctor([image.replace("v1", "v2")]), "registry", /no such image/, /check/);
});

test("doctor: a wrong password -> login fails; the right one -> the user is named", async (t) => {
  const { doctor, cwd } = await workshop(t);
  const handler = withAuth(createRegistryHandler({ referrers: true }), { kind: "bearer", random: real.random });
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, handler);
  t.after(close);
  const login = { username: "sandbox", password: "sandbox" };
  const ref = parseReference(`localhost:${port}/app:v1`);
  const store = await openRegistry(testIo({ cwd }), ref, { ...PLAIN_REGISTRY, ...login });
  await pushImage(store, { file: "app", content: Buffer.from("app"), tag: "v1" });
  const args = (password: string) => ["--registry-username=sandbox", `--registry-password=${password}`, ref.original];
  const wrong = await doctor(args("wrong"));
  assertOnly(wrong, "login", /401/, /./);
  assert.equal(wrong.of("login")[0]?.code, "auth");
  assert.equal(wrong.of("registry")[0]?.state, "ok");
  assert.ok(!JSON.stringify(wrong).includes("wrong"), "no password is shown");
  assertOnly(await doctor([ref.original]), "login", /401/, /tsign login/);
  const right = await doctor(args("sandbox"));
  assert.equal(right.code, 0, JSON.stringify(right.checks));
  assert.match(right.of("login")[0]?.detail ?? "", /^accepted, user sandbox$/);
});

test("doctor: a registry without the referrers API -> the fallback tag; a list that fails -> referrers fails", async (t) => {
  const { doctor, cwd } = await workshop(t);
  let broken = false;
  const registry = createRegistryHandler({ referrers: false });
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, async (request) =>
    broken && request.url.includes("/referrers/") ? { status: 403, body: "no" } : registry(request),
  );
  t.after(close);
  const ref = parseReference(`localhost:${port}/app:v1`);
  const store = await openRegistry(testIo({ cwd }), ref, PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("app"), tag: "v1" });
  const fallback = await doctor([ref.original]);
  assert.equal(fallback.code, 0, JSON.stringify(fallback.checks));
  const [found] = fallback.of("referrers");
  assert.ok(found?.detail.includes(`no referrers API (status 404); listed under the tag ${digest.replace(":", "-")}`));
  broken = true;
  assertOnly(await doctor([ref.original]), "referrers", /403/, /./);
});

for (const [ahead, state] of [
  [0, "ok"],
  [20_000, "warning"],
  [-20_000, "warning"],
  [HOUR / 6, "failed"],
  [-HOUR / 6, "failed"],
] as const) {
  test(`doctor: this machine's clock is ${ahead / 1000} s ahead -> ${state}`, async (t) => {
    const { doctor } = await workshop(t);
    const { code, of } = await doctor([], { ahead });
    const [clock] = of("clock");
    assert.equal(clock?.state, state, JSON.stringify(clock));
    assert.equal(code, state === "failed" ? 1 : 0);
    if (state === "ok") return;
    assert.match(clock?.detail ?? "", ahead > 0 ? /^\d+ s ahead of / : /^\d+ s behind /);
    assert.match(clock?.hint ?? "", /NTP/);
  });
}

test("doctor: TUF metadata that has expired -> trust fails", async (t) => {
  const { doctor } = await workshop(t);
  const { of, code } = await doctor([], { ahead: 50 * 365 * 24 * HOUR });
  assert.equal(code, 1);
  const [trust] = of("trust");
  assert.equal(trust?.state, "failed");
  assert.match(trust?.detail ?? "", /expired/);
  assert.equal(trust?.code, "untrusted");
  assert.match(trust?.hint ?? "", /clock|initialize/);
});

test("doctor: a TUF mirror that fails -> trust fails; with a cache -> a warning", async (t) => {
  const { doctor, sigstore, cwd } = await workshop(t);
  sigstore.faults.add({ service: "tuf", kind: "status", value: "503" });
  const outcome = await doctor([]);
  assertOnly(outcome, "trust", /503/, /initialize/);
  assert.equal(outcome.of("signing config")[0]?.state, "skipped");
  sigstore.faults.clear();
  const { code } = await run(["initialize", "--mirror", sigstore.at.tuf, "--root", "tuf_root.json"], {
    cwd,
    io: sigstore.io,
  });
  assert.equal(code, 0);
  sigstore.faults.add({ service: "tuf", kind: "status", value: "503" });
  const cached = await doctor([]);
  assert.equal(cached.code, 0);
  assert.equal(cached.of("trust")[0]?.state, "warning");
  assert.match(cached.of("trust")[0]?.detail ?? "", /using cached trust material/);
});

test("doctor: a TUF repository without a signing config, or with another one than it lists -> a warning", async (t) => {
  for (const [kind, value] of [
    ["status", "404"],
    ["garbage", ""],
  ] as const) {
    const { doctor, sigstore } = await workshop(t);
    sigstore.faults.add({ service: "tuf", kind, ...(value && { value }), path: "signing_config" });
    const { code, of } = await doctor([]);
    const [config] = of("signing config");
    assert.notEqual(config?.state, "ok", kind);
    assert.notEqual(config?.state, "skipped", kind);
    assert.equal(code, config?.state === "failed" ? 1 : 0);
    assert.equal(of("trust")[0]?.state, "ok");
    assert.deepEqual(of("service"), []);
  }
});

test("doctor: an old trusted root -> a warning; one that cannot be read -> trust fails", async (t) => {
  const { doctor, cwd, sigstore } = await workshop(t);
  const root = JSON.parse(sigstore.trustedRoot);
  for (const log of root.tlogs) log.publicKey.validFor = { start: "2020-01-01T00:00:00Z", end: "2021-01-01T00:00:00Z" };
  writeFileSync(join(cwd, "old.json"), JSON.stringify(root));
  writeFileSync(join(cwd, "bad.json"), "{");
  const old = await doctor(["--signing-config=rekor1.json", "--trusted-root=old.json"]);
  assert.equal(old.code, 0);
  assert.equal(old.of("trust")[0]?.state, "warning");
  assert.match(old.of("trust")[0]?.detail ?? "", /no transparency log is valid now/);
  const bad = await doctor(["--signing-config=rekor1.json", "--trusted-root=bad.json"]);
  assertOnly(bad, "trust", /bad\.json/, /./);
});

for (const [service, config, subject] of [
  ["fulcio", [], /^Fulcio /],
  ["oidc", [], /^OIDC issuer /],
  ["rekor2", [], /^Rekor v2 /],
  ["rekor1", ["--signing-config=rekor1.json"], /^Rekor 127/],
  ["tsa", [], /^timestamp authority /],
] as const) {
  for (const kind of ["status", "garbage"] as const) {
    test(`doctor: ${service} fails (${kind}) -> that service fails, and no other check`, async (t) => {
      const { doctor, sigstore } = await workshop(t);
      sigstore.faults.add({ service, kind });
      const outcome = await doctor([...config]);
      assertOnly(outcome, "service", /./, /./);
      const bad = outcome.of("service").filter(({ state }) => state === "failed");
      assert.equal(bad.length, 1);
      assert.match(bad[0]?.subject ?? "", subject);
    });
  }
}

test("doctor: a signing config without a valid service -> signing config fails", async (t) => {
  const { doctor, cwd, sigstore } = await workshop(t);
  const config = JSON.parse(sigstore.signingConfig.rekor1);
  for (const log of config.rekorTlogUrls) log.validFor = { start: "2020-01-01T00:00:00Z", end: "2021-01-01T00:00:00Z" };
  writeFileSync(join(cwd, "ended.json"), JSON.stringify(config));
  assertOnly(
    await doctor(["--signing-config=ended.json", "--trusted-root=root.json"]),
    "signing config",
    /transparency log/,
    /./,
  );
});

test("doctor: a proxy that refuses -> proxy fails and names the variable; an invalid one -> likewise", async (t) => {
  const { doctor } = await workshop(t);
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, async () => ({ status: 403 }));
  t.after(close);
  for (const proxy of [`http://127.0.0.1:${port}`, "http://127.0.0.1:1"]) {
    const outcome = await doctor(["registry.example/app:v1"], { env: { HTTPS_PROXY: proxy } });
    assert.equal(outcome.code, 1);
    const [found] = outcome.of("proxy");
    assert.equal(found?.state, "failed", JSON.stringify(outcome.checks));
    assert.equal(found?.subject, proxy);
    assert.match(found?.hint ?? "", /HTTPS_PROXY.*NO_PROXY/);
    assert.equal(outcome.of("registry")[0]?.state, "failed");
  }
  const secret = await doctor([], { env: { HTTPS_PROXY: "http://user:pa/ss@proxy.example" } });
  assert.equal(secret.code, 1);
  assert.equal(secret.of("proxy").at(-1)?.state, "failed");
  assert.ok(!JSON.stringify(secret).includes("pa/ss"));
});

test("doctor: an invalid name of an image, a missing file -> refused before anything is asked", async (t) => {
  const { sent } = await workshop(t);
  sent.length = 0;
  for (const args of [["UPPER CASE"], ["--signing-config=missing.json"]]) {
    const { code, stderr } = await run(["doctor", ...args], { cwd: temporaryFolder(t) });
    assert.equal(code, 1);
    assert.match(stderr, /^Error: /m);
  }
  assert.deepEqual(sent, []);
});
