import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Decider } from "../src/admission/decider.ts";
import { LivePolicy } from "../src/admission/live-policy.ts";
import { PullSecrets } from "../src/admission/pull-secrets.ts";
import { readReview } from "../src/admission/review.ts";
import { review } from "../src/admission/webhook.ts";
import { TsignError } from "../src/errors.ts";
import type { Handler, Io } from "../src/io/io.ts";
import { systemIo } from "../src/io/system.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { ownCluster } from "../src/services/kubernetes.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { exchange } from "./support/sandbox.ts";
import { OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const real = systemIo();
const basic = (user: string) => Buffer.from(`${user}:secret-${user}`).toString("base64");
const secret = (auths: object) => ({
  type: "kubernetes.io/dockerconfigjson",
  data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") },
});

/** Two registries that only let `alice` in, objects of a cluster, and a service. */
async function world(t: TestContext) {
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "a");
  let now = Date.parse("2026-03-02T12:00:00Z");
  const registries = new Map(
    ["r1.example", "r2.example"].map((host) => [host, createRegistryHandler({ referrers: true })]),
  );
  /** `host user` of each request to a registry, and the paths that were read from the cluster. */
  const [asked, read]: [string[], string[]] = [[], []];
  const objects = new Map<string, Record<string, unknown>>();
  let fault: TsignError | undefined;
  const http: Io["http"] = (request) => {
    const { host } = request.url;
    const stored = registries.get(host);
    if (!stored) return Promise.reject(new TsignError("network", `connect to ${host}: no such host`));
    const handler: Handler = async (each) => {
      const [, text = ""] = /^Basic (.*)$/.exec(each.headers["authorization"] ?? "") ?? [];
      const [user = ""] = Buffer.from(text, "base64").toString().split(":");
      asked.push(`${host} ${user}`);
      const challenge = { "www-authenticate": 'Basic realm="r"' };
      if (text !== basic("alice")) return { status: 401, headers: challenge, body: "" };
      return stored({ ...each, headers: { ...each.headers, host: "localhost" } });
    };
    return exchange(handler, request);
  };
  const io = testIo({ cwd, io: { http, now: () => new Date(now) } });
  const login = { ...PLAIN_REGISTRY, username: "alice", password: "secret-alice" };
  for (const host of registries.keys()) {
    const store = await openRegistry(io, parseReference(`${host}/app:1`), login);
    await pushImage(store, { file: "f", content: Buffer.from(host), tag: "1" });
    const flags = ["--key=a.key", "--registry-username=alice", "--registry-password=secret-alice", ...OFFLINE, "-y"];
    const env = { COSIGN_PASSWORD: "pw" };
    const signed = await run(["sign", ...flags, `${host}/app:1`], { cwd, env, io: { http } });
    assert.equal(signed.code, 0, signed.stderr);
  }
  const rules = `rules: [{images: "**", signatures: {signers: a, log: insecure-skip}}]`;
  writeFileSync(join(cwd, "policy.yaml"), `version: 1\nsigners: {a: {key: a.pub}}\n${rules}\n`);
  const policy = await LivePolicy.open(io, {
    read: async () => ({
      content: await io.files.read("policy.yaml", { maxBytes: 1e6 }),
      path: join(cwd, "policy.yaml"),
    }),
    registry: PLAIN_REGISTRY,
    warn: assert.fail,
  });
  const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(io, { current: () => policy.current, options });
  const api = {
    get: async (path: string) => {
      read.push(path);
      if (fault) throw fault;
      return objects.get(path);
    },
  };
  const pullSecrets = new PullSecrets(api, { now: () => new Date(now), random: real.random });
  const ask = async (namespace: string, spec: object, image = "r1.example/app:1") => {
    asked.length = 0;
    read.length = 0;
    const object = { apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "c", image }], ...spec } };
    const request = {
      ...{ uid: "u", operation: "CREATE", namespace, object },
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
    };
    const body = JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request });
    const how = { decider, policy: policy.current.policy, mutates: false, within: 8000, pullSecrets };
    return (await review(io, readReview(Buffer.from(body)), how)).response;
  };
  return {
    ...{ asked, read, objects, ask },
    store: (namespace: string, name: string, auths: object) =>
      objects.set(`/api/v1/namespaces/${namespace}/secrets/${name}`, secret(auths)),
    account: (namespace: string, name: string, ...names: readonly string[]) =>
      objects.set(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}`, {
        imagePullSecrets: names.map((each) => ({ name: each })),
      }),
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
    break: (error: TsignError | undefined) => {
      fault = error;
    },
  };
}

const PULL = { imagePullSecrets: [{ name: "pull" }] };

test("pull secrets: what one namespace may read is not an answer for another", async (t) => {
  const { ask, store, asked, read } = await world(t);
  store("rich", "pull", { "r1.example": { auth: basic("alice") } });
  store("wrong", "pull", { "r1.example": { auth: basic("mallory") } });
  assert.equal((await ask("poor", {})).allowed, false, "before anybody could read it");
  assert.equal((await ask("rich", PULL)).allowed, true);
  assert.ok(
    read.every((path) => path.startsWith("/api/v1/namespaces/rich/")),
    read.join(),
  );
  for (const [namespace, spec] of [
    ["poor", {}],
    ["poor", PULL],
    ["wrong", PULL],
  ] as const) {
    const { allowed, status } = await ask(namespace, spec);
    assert.equal(allowed, false, namespace);
    assert.match(status?.message ?? "", /r1\.example\/app:1" could not be checked/);
    assert.ok(!asked.includes("r1.example alice"), asked.join());
    assert.ok(!JSON.stringify(status).includes("secret-"), "no password in the answer");
  }
  // The same by digest, whose decision was kept for the namespace that may read it.
  const { auditAnnotations } = await ask("rich", PULL);
  const pinned = `r1.example/app@${/sha256:[0-9a-f]{64}/.exec(auditAnnotations?.["images"] ?? "")?.[0]}`;
  assert.equal((await ask("rich", PULL, pinned)).allowed, true);
  assert.deepEqual([...asked, ...read], [], "kept, with the secrets");
  assert.equal((await ask("poor", {}, pinned)).allowed, false);
  // The same credentials have the same rights.
  store("also", "pull", { "r1.example": { auth: basic("alice") } });
  assert.equal((await ask("also", PULL, pinned)).allowed, true);
  assert.deepEqual(asked, []);
});

test("pull secrets: credentials are sent to the registry they are for only", async (t) => {
  const { ask, store, asked } = await world(t);
  store("n", "pull", { "r1.example": { auth: basic("alice") }, "https://r3.example/v1/": { auth: basic("alice") } });
  assert.equal((await ask("n", PULL)).allowed, true);
  assert.equal((await ask("n", PULL, "r2.example/app:1")).allowed, false);
  assert.deepEqual([...new Set(asked)], ["r2.example "]);
  store("m", "pull", { "r1.example/other": { auth: basic("alice") } });
  assert.equal((await ask("m", PULL)).allowed, false);
  assert.deepEqual([...new Set(asked)], ["r1.example "]);
});

test("pull secrets: those of the service account where the Pod names none; missing ones are left out", async (t) => {
  const { ask, store, account, read, wait } = await world(t);
  store("n", "good", { "r1.example": { auth: basic("alice") } });
  store("n", "bad", { "r1.example": { auth: basic("mallory") } });
  account("n", "default", "missing", "good");
  account("n", "builder", "bad");
  assert.equal((await ask("n", {})).allowed, true);
  assert.equal((await ask("n", { serviceAccountName: "builder" })).allowed, false);
  const own = { serviceAccountName: "builder", imagePullSecrets: [{ name: "good" }] };
  assert.equal((await ask("n", own)).allowed, true, "its own are used instead");
  assert.deepEqual(read, [], "kept for half a minute");
  store("n", "bad", { "r1.example": { auth: basic("alice") } });
  assert.equal((await ask("n", { serviceAccountName: "builder" })).allowed, false);
  wait(30_000);
  assert.equal((await ask("n", { serviceAccountName: "builder" })).allowed, true, "a changed secret is noticed");
  const paths = ["serviceaccounts/builder", "secrets/bad"].map((each) => `/api/v1/namespaces/n/${each}`);
  assert.deepEqual(read, paths);
});

test("pull secrets: names that lead elsewhere, bad secrets and a cluster that does not answer -> not admitted", async (t) => {
  const { ask, store, objects, read, ...rest } = await world(t);
  const names = ["../../kube-system/secrets/x", "a/b", "A", "", "x".repeat(300), "a?b", "%2e%2e", 7, null];
  for (const name of names) {
    const { allowed, status } = await ask("n", { imagePullSecrets: [{ name }] });
    assert.equal(allowed, false);
    if (name) assert.match(status?.message ?? "", /invalid name/, String(name));
    assert.ok(
      read.every((path) => path === "/api/v1/namespaces/n/serviceaccounts/default"),
      read.join(),
    );
  }
  for (const namespace of ["", "../x", "N"]) assert.equal((await ask(namespace, PULL)).allowed, false);
  const path = "/api/v1/namespaces/n/secrets/pull";
  for (const object of [{}, { data: {} }, { data: { ".dockerconfigjson": "e3NlY3JldC1hbGljZQ==" } }]) {
    objects.set(path, object);
    rest.wait(60_000);
    const { status } = await ask("n", PULL);
    assert.equal(status?.code, 403);
    assert.match(status.message, /read secret n\/pull: /);
    assert.doesNotMatch(status.message, /secret-alice/);
  }
  rest.wait(60_000);
  rest.break(new TsignError("auth", "read /x of Kubernetes: permission denied (403)"));
  const denied = await ask("n", PULL);
  assert.equal(denied.status?.code, 503);
  assert.match(denied.status.message, /could not be checked: read \/x of Kubernetes: permission denied/);
  rest.break(undefined);
  store("n", "pull", { "r1.example": { auth: basic("alice") } });
  assert.equal((await ask("n", PULL)).allowed, true, "a failure is not kept");
});

test("cluster: found by a Pod's files and environment; what it answers", async (t) => {
  const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
  const files = new Map([
    [`${folder}/token`, "token-1\n"],
    [`${folder}/ca.crt`, "CA"],
  ]);
  const seen: string[] = [];
  let answer = { status: 200, body: '{"kind":"Secret"}' };
  const base = testIo({ cwd: temporaryFolder(t), env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" } });
  const systemFiles: typeof base.files = Object.create(base.files, {
    read: {
      value: async (path: string) => {
        const text = files.get(path);
        if (text === undefined) throw new TsignError("input", `read ${path}: no such file or directory`);
        return Buffer.from(text);
      },
    },
  });
  const http: Io["http"] = (request) => {
    seen.push(`${request.url.href} ${request.headers?.["authorization"]} ${request.tls?.ca}`);
    return exchange(async () => answer, request);
  };
  const io: Io = Object.create(base, { files: { value: systemFiles }, http: { value: http } });
  const cluster = await ownCluster(io);
  assert.deepEqual(await cluster.get("/api/v1/namespaces/n/secrets/s"), { kind: "Secret" });
  assert.deepEqual(seen, ["https://10.0.0.1/api/v1/namespaces/n/secrets/s Bearer token-1 CA"]);
  files.set(`${folder}/token`, "token-2");
  answer = { status: 404, body: "{}" };
  assert.equal(await cluster.get("/api/v1/x"), undefined);
  assert.match(seen.at(-1) ?? "", /Bearer token-2/);
  for (const [status, body, code] of [
    [403, "{}", "auth"],
    [401, "", "auth"],
    [200, "<html>", "service"],
    [200, "[]", "service"],
    [302, "", "service"],
  ] as const) {
    answer = { status, body };
    await assert.rejects(cluster.get("/api/v1/x"), (error: TsignError) => error.code === code, `${status} ${body}`);
  }
  files.delete(`${folder}/token`);
  await assert.rejects(ownCluster(io), { code: "auth" });
  await assert.rejects(ownCluster(testIo()), /KUBERNETES_SERVICE_HOST is not set/);
});

test("pull secrets: an object with several Pod templates -> the credentials of each; too many -> refused", async () => {
  const auths = (user: string) => ({ [`${user}.example`]: { auth: basic(user) } });
  const objects = new Map<string, object>([
    ["/api/v1/namespaces/n/secrets/own", secret(auths("own"))],
    ["/api/v1/namespaces/n/secrets/inherited", secret(auths("inherited"))],
    ["/api/v1/namespaces/n/serviceaccounts/default", { imagePullSecrets: [{ name: "inherited" }, { name: "own" }] }],
  ]);
  const read: string[] = [];
  const get = async (path: string) => {
    read.push(path);
    return objects.get(path) as Record<string, unknown> | undefined;
  };
  const pullSecrets = new PullSecrets({ get }, real);
  const own = { imagePullSecrets: [{ name: "own" }] };
  const idOf = async (...specs: object[]) => {
    const { configs, id } = await pullSecrets.of("n", ...(specs as Record<string, unknown>[]));
    return [configs.length, id] as const;
  };
  const [one, both] = [await idOf(own), await idOf(own, {})];
  assert.deepEqual([one[0], both[0], read.length], [1, 2, 3]);
  assert.notEqual(one[1], both[1]);
  assert.deepEqual(await idOf(own, own), one);
  const many = [0, 30].map((from) => ({
    imagePullSecrets: Array.from({ length: 30 }, (_, index) => ({ name: `s${from + index}` })),
  }));
  assert.equal((await idOf(many[0] ?? {}))[0], 0);
  await assert.rejects(idOf(...many), { code: "input", message: /more than 50 different ones/ });
});
