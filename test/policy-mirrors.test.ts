import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Decider } from "../src/admission/decider.ts";
import { LivePolicy } from "../src/admission/live-policy.ts";
import type { PullScope, PullSecrets } from "../src/admission/pull-secrets.ts";
import { readReview } from "../src/admission/review.ts";
import { review } from "../src/admission/webhook.ts";
import { TsignError } from "../src/errors.ts";
import type { Io } from "../src/io/io.ts";
import { systemIo } from "../src/io/system.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { exchange } from "./support/sandbox.ts";
import { OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const real = systemIo();
const SOURCE = "r.example/team";
const MIRROR = "m.example/cache/team";
const MIRRORS = `mirrors: [{source: ${SOURCE}, mirror: ${MIRROR}}]`;

/** A source and a mirror, each with a password of its own, and a policy that demands `a` for what is below the source. */
async function world(t: TestContext) {
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "a", "b");
  const handlers = new Map(
    ["r.example", "m.example"].map((host) => [host, createRegistryHandler({ referrers: true })]),
  );
  const basic = (host: string) => `Basic ${Buffer.from(`user:secret-of-${host.slice(0, 1)}`).toString("base64")}`;
  const state = { down: new Set<string>(), hangs: new Set<string>(), asked: [] as string[] };
  const http: Io["http"] = async (request) => {
    const { host } = request.url;
    const stored = handlers.get(host);
    if (!stored || state.down.has(host)) throw new TsignError("network", `connect to ${host}: no such host`);
    if (state.hangs.has(host)) return new Promise(() => {});
    const given = request.headers?.["authorization"];
    assert.ok(given === undefined || given === basic(host), `another host's credentials are sent to ${host}`);
    state.asked.push(`${host} ${request.method} ${request.url.pathname}`);
    return exchange(async (each) => {
      if (given === undefined) return { status: 401, headers: { "www-authenticate": 'Basic realm="r"' }, body: "" };
      return stored({ ...each, headers: { ...each.headers, host: "localhost" } });
    }, request);
  };
  const login = (...hosts: string[]) => {
    const auths = Object.fromEntries(hosts.map((host) => [host, { auth: basic(host).slice("Basic ".length) }]));
    writeFileSync(join(cwd, "config.json"), JSON.stringify({ auths }));
  };
  login("r.example", "m.example");
  const env = { COSIGN_PASSWORD: "pw", DOCKER_CONFIG: cwd };
  // A mirror that does not answer is waited for in no time.
  const sleep: Io["sleep"] = async (milliseconds, signal) =>
    milliseconds === 3000 && state.hangs.size > 0 ? undefined : real.sleep(milliseconds, signal);
  const io = testIo({ cwd, env, io: { http } });
  const tsign = (...argv: string[]) => run(argv, { cwd, env, io: { http, sleep } });
  const push = async (place: string, content: string) => {
    const store = await openRegistry(io, parseReference(`${place}/app:1`), PLAIN_REGISTRY);
    return (await pushImage(store, { file: "f", content: Buffer.from(content), tag: "1" })).digest;
  };
  const sign = async (place: string, key = "a", ...flags: string[]) => {
    const { code, stderr } = await tsign("sign", `--key=${key}.key`, ...OFFLINE, ...flags, "-y", `${place}/app:1`);
    assert.equal(code, 0, stderr);
  };
  const write = (mirrors: string, demand = "signatures: {signers: a, log: insecure-skip}") =>
    writeFileSync(
      join(cwd, "p.yaml"),
      `version: 1\n${mirrors}\nsigners: {a: {key: a.pub}}\nrules: [{name: team, images: ${SOURCE}/**, ${demand}}]\n`,
    );
  write(MIRRORS);
  const verify = (image = `${SOURCE}/app:1`, ...flags: string[]) =>
    tsign("verify", "--trust-policy=p.yaml", ...flags, image);
  /** The digest that `/mutate` writes, or the refusal. */
  const mutate = async (image = `${SOURCE}/app:1`, scope?: PullScope) => {
    const own = testIo({ cwd, env, io: { http, sleep } });
    const policy = await LivePolicy.open(own, {
      read: async () => ({ content: await own.files.read("p.yaml", { maxBytes: 1e6 }), path: join(cwd, "p.yaml") }),
      registry: PLAIN_REGISTRY,
      warn: assert.fail,
    });
    const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
    const decider = new Decider(own, { current: () => policy.current, options });
    const object = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "c", image }] } };
    const request = { uid: "u", operation: "CREATE", namespace: "shop", object, kind: { version: "v1", kind: "Pod" } };
    const asked = { ...request, resource: { version: "v1", resource: "pods" } };
    const body = JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: asked });
    const pullSecrets = scope && ({ of: async () => scope } as unknown as PullSecrets);
    const how = { decider, policy: policy.current.policy, within: 8000, mutates: true, pullSecrets };
    const { response, answers } = await review(io, readReview(Buffer.from(body)), how);
    return response.allowed ? answers[0]?.pinned : (response.status?.message ?? "refused");
  };
  const reset = () => state.asked.splice(0);
  return { cwd, basic, state, login, push, sign, write, verify, mutate, reset, tsign };
}

test("mirror: signed copy -> accepted under the source's name, and the source is not asked", async (t) => {
  const { push, sign, verify, mutate, state, reset, write } = await world(t);
  const digest = await push(MIRROR, "x");
  await sign(MIRROR);
  state.down.add("r.example");
  reset();
  const verified = await verify();
  assert.equal(verified.code, 0, verified.stderr);
  assert.equal(await mutate(), `${SOURCE}/app@${digest}`);
  assert.equal(await mutate(`${SOURCE}/app@${digest}`), `${SOURCE}/app@${digest}`);
  assert.ok(state.asked.every((each) => each.startsWith("m.example ")));
  // Rules are for the names of sources: the same image under the mirror's name matches none.
  assert.match((await verify(`${MIRROR}/app:1`)).stderr, /no rule/);
  write("");
  assert.notEqual((await verify()).code, 0);
});

test("mirror: missing image, unreachable, late, or without credentials -> the source decides", async (t) => {
  const { push, sign, verify, mutate, state, login, write } = await world(t);
  const digest = await push(SOURCE, "x");
  assert.notEqual((await verify()).code, 0, "unsigned");
  await sign(SOURCE);
  const accepts = async (what: string) => {
    assert.equal((await verify()).code, 0, what);
    assert.equal(await mutate(), `${SOURCE}/app@${digest}`, what);
  };
  await accepts("missing");
  state.hangs.add("m.example");
  await accepts("late");
  state.hangs.clear();
  state.down.add("m.example");
  await accepts("unreachable");
  state.down.clear();
  await push(MIRROR, "other");
  login("r.example");
  await accepts("without credentials");
  login("r.example", "m.example");
  assert.notEqual((await verify()).code, 0, "the mirror has another image, which nobody has signed");
  // A mirror that alone may be asked is an outage, or lacks the image.
  write(`mirrors: [{source: ${SOURCE}, mirror: m.example/none, only: true}]`);
  assert.match((await verify()).stderr, /no such image: r\.example\/team\/app:1 at m\.example\/none\/app/);
  state.down.add("m.example");
  assert.match((await mutate()) ?? "", /at its mirror m\.example\/none\/app: .*no such host/);
  state.down.clear();
  state.down.add("r.example");
  write(MIRRORS);
  login("r.example");
  assert.notEqual((await verify()).code, 0, "neither");
});

test("mirror: another image under the tag -> it is decided on, by its own signatures", async (t) => {
  const { push, sign, verify, mutate, write } = await world(t);
  const good = await push(SOURCE, "good");
  await sign(SOURCE);
  const evil = await push(MIRROR, "evil");
  assert.notEqual(evil, good);
  assert.notEqual((await verify()).code, 0);
  assert.match((await mutate()) ?? "", /refused|app/);
  assert.doesNotMatch((await mutate()) ?? "", /^r\.example\/team\/app@/);
  // The mirror lacks the digest, which the source has with its signature.
  assert.equal(await mutate(`${SOURCE}/app@${good}`), `${SOURCE}/app@${good}`);
  assert.doesNotMatch((await mutate(`${SOURCE}/app@${evil}`)) ?? "", /^r\.example\/team\/app@/);
  await sign(MIRROR, "b");
  assert.notEqual((await verify()).code, 0, "another key");
  // Tags are read at the source, digests at the mirror first.
  write(`mirrors: [{source: ${SOURCE}, mirror: ${MIRROR}, tags: false}]`);
  assert.equal((await verify()).code, 0);
  assert.equal(await mutate(), `${SOURCE}/app@${good}`);
  assert.doesNotMatch((await mutate(`${SOURCE}/app@${evil}`)) ?? "", /^r\.example\/team\/app@/);
});

test("mirror: signatures at the source only -> they count, unless the source may not be asked", async (t) => {
  const { push, sign, verify, mutate, state, write } = await world(t);
  const digest = await push(SOURCE, "x");
  assert.equal(await push(MIRROR, "x"), digest);
  assert.notEqual((await verify()).code, 0, "unsigned at both");
  await sign(SOURCE, "b");
  assert.notEqual((await verify()).code, 0, "another key at the source");
  await sign(SOURCE, "a", "--new-bundle-format=false");
  assert.equal((await verify()).code, 0);
  assert.equal(await mutate(), `${SOURCE}/app@${digest}`);
  write(`mirrors: [{source: ${SOURCE}, mirror: ${MIRROR}, only: true}]`);
  assert.notEqual((await verify()).code, 0, "only the mirror");
  write(MIRRORS);
  state.down.add("r.example");
  const { code, stderr } = await verify();
  assert.notEqual(code, 0);
  assert.match(stderr, /no such host/, "an outage, not a missing signature");
});

test("mirror: a newer scan at the source outvotes an older one at the mirror", async (t) => {
  const { push, mutate, verify, tsign, write, cwd, state } = await world(t);
  const attest = async (place: string, time: string, severity: string) => {
    const found = { scanner: { result: { matches: [{ vulnerability: { id: "CVE-1", severity } }] } } };
    const predicate = { ...found, metadata: { scanStartedOn: time, scanFinishedOn: time } };
    writeFileSync(join(cwd, "scan.json"), JSON.stringify(predicate));
    const flags = ["--key=a.key", "--type=vuln", "--predicate=scan.json", ...OFFLINE, "-y"];
    const { code, stderr } = await tsign("attest", ...flags, `${place}/app:1`);
    assert.equal(code, 0, stderr);
  };
  const demand = "{type: vuln, signers: a, log: insecure-skip, vulnerabilities: {worst: low}}";
  write(MIRRORS, `attestations: [${demand}]`);
  const digest = await push(SOURCE, "x");
  await push(MIRROR, "x");
  await attest(MIRROR, "2026-01-01T00:00:00Z", "Low");
  assert.equal(await mutate(), `${SOURCE}/app@${digest}`);
  await attest(SOURCE, "2026-02-01T00:00:00Z", "Critical");
  assert.match((await mutate()) ?? "", /newer scan|critical/i);
  state.down.add("r.example");
  assert.doesNotMatch((await mutate()) ?? "", /@sha256/, "the newer one may be where nobody can look");
  const { code, stderr } = await verify();
  assert.notEqual(code, 0);
  assert.match(stderr, /no such host/);
});

test("mirror: credentials of flags are for the image's registry only", async (t) => {
  const { push, sign, verify, login } = await world(t);
  await push(SOURCE, "x");
  await push(MIRROR, "x");
  await sign(SOURCE);
  await sign(MIRROR);
  login();
  // The mirror refuses without them, the source accepts them; the world refuses to send them to the mirror.
  const flags = ["--registry-username=user", "--registry-password=secret-of-r"];
  const { code, stderr } = await verify(`${SOURCE}/app:1`, ...flags);
  assert.equal(code, 0, stderr);
  assert.notEqual((await verify(`${SOURCE}/app:1`, flags[0] ?? "", "--registry-password=wrong")).code, 0);
});

test("mirror: pull secrets of a Pod are sent to the registry that they are for", async (t) => {
  const { push, sign, mutate, login, basic, state } = await world(t);
  const digest = await push(MIRROR, "x");
  await sign(MIRROR);
  login();
  const scopeOf = (...hosts: string[]): PullScope => ({
    configs: [{ auths: Object.fromEntries(hosts.map((host) => [host, { auth: basic(host).slice("Basic ".length) }])) }],
    id: hosts.join(),
  });
  const image = `${SOURCE}/app:1`;
  assert.doesNotMatch((await mutate(image)) ?? "", /@sha256/, "without any");
  assert.doesNotMatch((await mutate(image, scopeOf("r.example"))) ?? "", /@sha256/, "for the source");
  assert.equal(await mutate(image, scopeOf("m.example")), `${SOURCE}/app@${digest}`);
  state.down.add("m.example");
  assert.doesNotMatch((await mutate(image, scopeOf("m.example"))) ?? "", /@sha256/, "for the mirror, which is down");
});
