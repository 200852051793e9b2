import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { CertificateKeeper } from "../src/admission/certificate-keeper.ts";
import { Lease } from "../src/admission/lease.ts";
import { OwnCertificates } from "../src/admission/own-certificates.ts";
import type { JsonObject } from "../src/admission/review.ts";
import { selfSigned, validityOf } from "../src/admission/self-signed.ts";
import { TsignError } from "../src/errors.ts";
import { listen } from "../src/io/listen.ts";
import { systemIo } from "../src/io/system.ts";

const real = systemIo();
const SECRET = "/api/v1/namespaces/ns/secrets/tsign-tls";
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/tsign";
const CONFIGURATIONS = ["validating", "mutating"].map(
  (kind) => `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/tsign`,
);
const SERVICE = { namespace: "ns", name: "tsign" };
const DAY = 24 * 3_600_000;
const names = ["tsign.ns.svc"];

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes' objects
type Any = any;

/** Objects of a cluster with versions, a clock, and failures. */
function cluster() {
  let now = Date.parse("2026-03-02T12:00:00Z");
  const objects = new Map<string, Any>();
  const state = { fault: undefined as TsignError | undefined, writes: 0 };
  const store = (path: string, object: Any) => {
    const resourceVersion = String(Number(objects.get(path)?.metadata?.resourceVersion ?? 0) + 1);
    objects.set(path, { ...object, metadata: { ...object.metadata, resourceVersion } });
  };
  const checked = () => {
    if (state.fault) throw state.fault;
  };
  const api = {
    get: async (path: string): Promise<JsonObject | undefined> => {
      checked();
      return structuredClone(objects.get(path));
    },
    put: async (path: string, object: JsonObject) => {
      checked();
      const { resourceVersion } = (object as Any).metadata;
      if (resourceVersion !== objects.get(path).metadata.resourceVersion) return false;
      state.writes++;
      store(path, object);
      return true;
    },
    patch: async (path: string, operations: readonly unknown[]) => {
      checked();
      const object = structuredClone(objects.get(path));
      for (const { op, path: pointer, value } of operations as Any[]) {
        const [, , index, ...fields] = pointer.split("/");
        const last = fields.pop();
        const at = fields.reduce((each: Any, field: string) => each[field], object.webhooks[index]);
        if (op === "test" && at[last] !== value) return false;
        at[last] = value;
      }
      store(path, object);
      return true;
    },
  };
  store(SECRET, { kind: "Secret", metadata: { labels: { a: "b" } } });
  store(LEASE, { kind: "Lease", metadata: {} });
  const service = (name: string) => ({ service: { namespace: "ns", name, path: "/x" } });
  for (const path of CONFIGURATIONS) {
    const webhooks = [
      { name: "other.example", clientConfig: service("other") },
      { name: "tsign.dev", clientConfig: service("tsign") },
    ];
    store(path, { metadata: {}, webhooks });
  }
  const io = { now: () => new Date(now), random: real.random, sleep: real.sleep, env: { HOSTNAME: "pod-1" } };
  return {
    ...{ api, io, objects, store, state },
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
    /** The certificates that the API server trusts for the webhook, in order. */
    trusted: (path: string, index = 1): string[] => {
      const text = Buffer.from(objects.get(path).webhooks[index].clientConfig.caBundle ?? "", "base64").toString();
      return text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n/g) ?? [];
    },
  };
}

test("a self-made certificate is for the names, the time and the key, and TLS clients accept it as its own authority", async (t) => {
  const tls = selfSigned(real, { names: ["tsign.ns.svc", "localhost"], lifetime: DAY });
  const certificate = new X509Certificate(tls.cert);
  assert.equal(certificate.subjectAltName, "DNS:tsign.ns.svc, DNS:localhost");
  assert.ok(certificate.verify(certificate.publicKey) && !certificate.ca);
  const validity = validityOf(tls, names);
  assert.ok(validity && validity.from < Date.now() && Math.abs(validity.to - Date.now() - DAY) < 60_000);
  const listening = await listen({ host: "127.0.0.1", port: 0, tls }, async () => ({ status: 200 }));
  t.after(() => listening.close());
  const ask = (host: string, ca: string) =>
    real.http({
      ...{ url: new URL(`https://${host}:${listening.port}/`), method: "GET", headers: {}, tls: { ca } },
      signal: AbortSignal.timeout(5000),
    });
  assert.equal((await ask("localhost", tls.cert)).status, 200);
  await assert.rejects(ask("127.0.0.1", tls.cert), { code: "network" });
  await assert.rejects(ask("localhost", selfSigned(real, { names: ["localhost"], lifetime: DAY }).cert), {
    code: "network",
  });
  const other = selfSigned(real, { names, lifetime: DAY });
  for (const [what, wrong, wanted] of [
    ["another key", { cert: tls.cert, key: other.key }, names],
    ["another name", tls, ["tsign.other.svc"]],
    ["no certificate", { cert: "", key: tls.key }, names],
    ["no key", { cert: tls.cert, key: "x" }, names],
  ] as const) {
    assert.equal(validityOf(wrong, wanted), undefined, what);
  }
});

test("own certificates: made once, told to our webhooks, replaced in time; at every moment what is served is trusted", async () => {
  const { api, io, objects, wait, trusted } = cluster();
  const own = new OwnCertificates(api, io, { service: SERVICE, lifetime: 90 * DAY });
  const follower = new OwnCertificates(api, io, { service: SERVICE, lifetime: 90 * DAY });
  assert.equal(await follower.read(), undefined);
  assert.deepEqual(await own.maintain(), ["certificate made"]);
  const told = await own.maintain();
  assert.equal(told.length, 2, told.join());
  const first = (await follower.read())?.cert ?? "";
  for (const path of CONFIGURATIONS) {
    assert.deepEqual(trusted(path), [first]);
    assert.deepEqual(trusted(path, 0), [], "another service's webhook is left alone");
  }
  assert.deepEqual(objects.get(SECRET).metadata.labels, { a: "b" });
  /** Does what is due, at most `most` times, until nothing is. Every replica's view must be trusted by the API server after each step. */
  const settle = async (served: string) => {
    const log: string[] = [];
    for (let step = 0; step < 8; step++) {
      log.push(...(await own.maintain()));
      const now = (await follower.read())?.cert ?? assert.fail("no certificate");
      assert.ok((await own.trusted()).includes(now) && (await own.trusted()).includes(served), "told to others");
      for (const path of CONFIGURATIONS) {
        // A replica may serve what it read before, or what it reads now.
        for (const each of [served, now]) assert.ok(trusted(path).includes(each), `${step} ${log.join()}`);
      }
    }
    return log;
  };
  wait(59 * DAY);
  assert.deepEqual(await settle(first), [], "nothing is due");
  wait(2 * DAY);
  const started = await settle(first);
  assert.equal(started[0], "next certificate made");
  assert.equal((await follower.read())?.cert, first, "trusted before it is served");
  assert.equal(trusted(CONFIGURATIONS[0] ?? "").length, 2);
  wait(59_000);
  assert.deepEqual(await settle(first), []);
  wait(2000);
  assert.equal((await settle(first))[0], "certificate replaced");
  const second = (await follower.read())?.cert ?? "";
  assert.notEqual(second, first);
  assert.deepEqual(trusted(CONFIGURATIONS[1] ?? ""), [first, second], "replicas may still serve the first");
  assert.deepEqual(Object.keys(objects.get(SECRET).data).sort(), ["previous.crt", "tls.crt", "tls.key"]);
  wait(61 * DAY);
  await settle(second);
  wait(61_000);
  await settle(second);
  const third = (await follower.read())?.cert ?? "";
  assert.deepEqual(trusted(CONFIGURATIONS[0] ?? ""), [second, third], "the first is not trusted any more");
});

test("own certificates: a Secret that another program keeps -> nothing is written; what else is in ours stays", async () => {
  const { api, io, objects, store, state, wait } = cluster();
  const own = new OwnCertificates(api, io, { service: SERVICE, lifetime: 90 * DAY });
  const encoded = (text: string) => Buffer.from(text).toString("base64");
  const shop = selfSigned(io, { names: ["shop.example"], lifetime: 90 * DAY });
  const data = { "tls.crt": encoded(shop.cert), "tls.key": encoded(shop.key), "ca.crt": encoded(shop.cert) };
  store(SECRET, { ...objects.get(SECRET), type: "kubernetes.io/tls", data });
  await assert.rejects(own.maintain(), {
    code: "service",
    message: /^write \S+tsign-tls of Kubernetes: it is of type kubernetes\.io\/tls/,
  });
  assert.deepEqual([objects.get(SECRET).data, state.writes], [data, 0], "the key is not lost");
  const issued = selfSigned(io, { names, lifetime: 90 * DAY });
  store(SECRET, {
    ...objects.get(SECRET),
    data: { "tls.crt": encoded(issued.cert), "tls.key": encoded(issued.key) },
  });
  await own.maintain();
  assert.deepEqual([await own.read(), state.writes], [issued, 0], "it is served as long as it is valid");
  wait(61 * DAY);
  await assert.rejects(own.maintain(), /it is of type/);
  store(SECRET, { ...objects.get(SECRET), type: "Opaque", data: { password: encoded("x") } });
  assert.deepEqual(await own.maintain(), ["certificate made"]);
  assert.deepEqual(Object.keys(objects.get(SECRET).data).toSorted(), ["password", "tls.crt", "tls.key"]);
  wait(61 * DAY);
  assert.deepEqual(await own.maintain(), ["next certificate made"]);
  assert.equal(objects.get(SECRET).data.password, encoded("x"));
});

test("own certificates: what was applied again is told again before the next one is served", async () => {
  const { api, io, objects, store, wait, trusted } = cluster();
  const own = new OwnCertificates(api, io, { service: SERVICE, lifetime: 90 * DAY });
  await own.maintain();
  await own.maintain();
  const first = (await own.read())?.cert;
  wait(61 * DAY);
  for (let step = 0; step < 4; step++) await own.maintain();
  const [path = ""] = CONFIGURATIONS;
  const object = objects.get(path);
  const { caBundle: _, ...without } = object.webhooks[1].clientConfig;
  store(path, { ...object, webhooks: [{ ...object.webhooks[1], clientConfig: without }] });
  wait(61_000);
  await own.maintain();
  assert.equal((await own.read())?.cert, first, "the API server has just been told");
  assert.equal(trusted(path, 0).length, 2);
  wait(61_000);
  assert.deepEqual(await own.maintain(), ["certificate replaced"]);
});

test("own certificates: unusable, expired and of another name -> a new one; changed meanwhile -> nothing is lost", async () => {
  const { api, io, objects, store, state, wait } = cluster();
  const own = new OwnCertificates(api, io, { service: SERVICE, lifetime: 90 * DAY });
  const encoded = (text: string) => Buffer.from(text).toString("base64");
  const wrong = selfSigned(io, { names: ["tsign.other.svc"], lifetime: DAY });
  for (const data of [
    { "tls.crt": "x", "tls.key": "y" },
    { "tls.crt": encoded(wrong.cert), "tls.key": encoded(wrong.key) },
  ]) {
    store(SECRET, { ...objects.get(SECRET), data });
    assert.equal(await own.read(), undefined);
    assert.deepEqual(await own.maintain(), ["certificate made"]);
    assert.ok(await own.read());
  }
  wait(91 * DAY);
  assert.equal(await own.read(), undefined, "expired");
  assert.deepEqual(await own.maintain(), ["certificate made"]);
  const kept = await own.read();
  wait(61 * DAY);
  const racing = { ...api, put: async () => false };
  const loser = new OwnCertificates(racing, io, { service: SERVICE, lifetime: 90 * DAY });
  await assert.rejects(loser.maintain(), /changed meanwhile/);
  assert.deepEqual(await own.read(), kept);
  state.fault = new TsignError("network", "connect to Kubernetes: refused");
  await assert.rejects(own.maintain(), { code: "network" });
  state.fault = undefined;
  objects.delete(SECRET);
  await assert.rejects(own.maintain(), /there is no such Secret/);
});

test("lease: one of two holds it; it is taken when the holder is silent for its duration, or has left", async () => {
  const { api, io, objects, wait } = cluster();
  const [a, b] = ["a", "b"].map((holder) => new Lease(api, io, { path: LEASE, holder })) as [Lease, Lease];
  assert.deepEqual([await a.hold(), await b.hold()], [true, false]);
  const { acquireTime } = objects.get(LEASE).spec;
  assert.equal(acquireTime, "2026-03-02T12:00:00.000000Z");
  for (let round = 0; round < 5; round++) {
    wait(5000);
    assert.deepEqual([await a.hold(), await b.hold()], [true, false], "renewed");
  }
  assert.equal(objects.get(LEASE).spec.acquireTime, acquireTime);
  wait(14_000);
  assert.equal(await b.hold(), false);
  wait(1000);
  assert.equal(await b.hold(), true, "silent for 15 s");
  assert.equal(await a.hold(), false, "the old holder notices");
  assert.deepEqual(objects.get(LEASE).spec.leaseTransitions, 2);
  await a.release();
  assert.equal(await a.hold(), false, "only the holder releases");
  await b.release();
  assert.equal(await a.hold(), true, "at once");
  // Both read before one writes: the other loses.
  const slow = new Lease({ ...api, put: async () => false }, io, { path: LEASE, holder: "c" });
  wait(1);
  await a.release();
  assert.equal(await slow.hold(), false);
  // A clock that is wrong does not matter: what counts is whether the Lease changes.
  const skewed = new Lease(api, { now: () => new Date(io.now().getTime() + DAY) }, { path: LEASE, holder: "d" });
  assert.equal(await a.hold(), true);
  assert.equal(await skewed.hold(), false);
  objects.delete(LEASE);
  await assert.rejects(a.hold(), /there is no such Lease/);
});

test("keeper: only the elected one writes; failures are logged once, and end by themselves", async () => {
  const { api, io, state, objects } = cluster();
  const logged: Readonly<Record<string, unknown>>[] = [];
  const options = {
    service: SERVICE,
    lifetime: 90 * DAY,
    log: (entry: Readonly<Record<string, unknown>>) => logged.push(entry),
  };
  const [a, b] = [new CertificateKeeper(api, io, options), new CertificateKeeper(api, io, options)];
  await a.wait(new AbortController().signal);
  await b.wait(new AbortController().signal);
  assert.deepEqual(
    logged.map(({ message }) => message),
    ["elected", "certificate made"],
  );
  assert.match(objects.get(LEASE).spec.holderIdentity, /^pod-1_[0-9a-f]{16}$/);
  assert.deepEqual(await a.read(), await b.read());
  state.fault = new TsignError("network", "connect to Kubernetes: refused");
  const stop = new AbortController();
  const running = b.run(1, stop.signal);
  await real.sleep(30);
  state.fault = undefined;
  await real.sleep(10);
  stop.abort();
  await running;
  assert.equal(logged.filter(({ level }) => level === "error").length, 1);
  const denied = new TsignError("auth", "read x of Kubernetes: permission denied (403)");
  state.fault = denied;
  await assert.rejects(b.wait(new AbortController().signal), denied);
});
