import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CertificateKeeper } from "../src/admission/certificate-keeper.ts";
import { ClusterPolicies } from "../src/admission/cluster-policies.ts";
import { writeStatuses } from "../src/admission/policy-status.ts";
import { TsignError } from "../src/errors.ts";
import { systemIo } from "../src/io/system.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { PLAIN_REGISTRY, temporaryFolder, testIo } from "./support/test-io.ts";

const real = systemIo();
const BASE = "/apis/tsign.dev/v1alpha1";
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/tsign";
const SECRET = "/api/v1/namespaces/ns/secrets/tsign-tls";

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes' objects
type Any = any;

/** An API server with policies, whose versions change with each write and whose watches end with each change. */
function cluster(t: TestContext) {
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "a");
  let now = Date.parse("2026-03-02T12:00:00Z");
  const objects = new Map<string, Any>([
    [SECRET, { metadata: { resourceVersion: "1" } }],
    [LEASE, { metadata: { resourceVersion: "1" } }],
  ]);
  const state = { version: 1, lists: 0, writes: [] as string[], fault: undefined as TsignError | undefined };
  const watchers = new Set<() => void>();
  const changed = () => {
    for (const each of watchers) each();
  };
  const listOf = (plural: string) =>
    [...objects].filter(([path]) => path.startsWith(BASE) && path.split("/").includes(plural)).map(([, each]) => each);
  const store = (path: string, spec: unknown) => {
    const before = objects.get(`${BASE}/${path}`);
    const [name, , namespace] = path.split("/").reverse();
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
    const generation = (before?.metadata.generation ?? 0) + 1;
    const resourceVersion = String(++state.version);
    objects.set(`${BASE}/${path}`, { ...before, metadata: { ...metadata, generation, resourceVersion }, spec });
    changed();
  };
  const api = {
    get: async (asked: string) => {
      const { pathname } = new URL(asked, "https://k8s.example");
      if (!/policies$/.test(pathname)) return structuredClone(objects.get(pathname));
      state.lists++;
      const items = structuredClone(listOf(pathname.split("/").at(-1) ?? ""));
      return { metadata: { resourceVersion: String(state.version) }, items };
    },
    put: async (path: string, object: Any) => {
      if (object.metadata.resourceVersion !== objects.get(path).metadata.resourceVersion) return false;
      objects.set(path, { ...object, metadata: { ...object.metadata, resourceVersion: String(++state.version) } });
      return true;
    },
    patch: async (path: string, [check, add]: readonly Any[]) => {
      if (path.includes("webhookconfigurations")) return true;
      if (state.fault) throw state.fault;
      assert.ok(path.endsWith("/status"), path);
      assert.deepEqual(
        [check.op, check.path, add.op, add.path],
        ["test", "/metadata/resourceVersion", "add", "/status"],
      );
      const object = objects.get(path.slice(0, -"/status".length));
      if (object?.metadata.resourceVersion !== check.value) return false;
      object.status = structuredClone(add.value);
      object.metadata.resourceVersion = String(++state.version);
      state.writes.push(path);
      changed();
      return true;
    },
    changed: (_path: string, _version: string, signal: AbortSignal) =>
      new Promise<void>((done, fail) => {
        watchers.add(done);
        signal.addEventListener("abort", () => fail(signal.reason), { once: true });
      }),
  };
  const io = testIo({ cwd, io: { now: () => new Date(now) } });
  const logged: string[] = [];
  const log = (entry: Readonly<Record<string, unknown>>) => logged.push(`${entry["message"]} ${entry["policy"] ?? ""}`);
  const registry = () => PLAIN_REGISTRY;
  const policies = new ClusterPolicies(api, io, { registry, warn: assert.fail, log });
  const key = readFileSync(join(cwd, "a.pub"), "utf8");
  return {
    ...{ api, io, state, store, objects, policies, logged, log },
    valid: (images: string) => ({
      version: 1,
      signers: { a: { key } },
      rules: [{ images, signatures: { signers: "a", log: "insecure-skip" } }],
    }),
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
    conditions: (path: string) => objects.get(`${BASE}/${path}`).status?.conditions,
    write: () => writeStatuses(api, io, policies.reported),
  };
}

const OWN = "namespaces/shop/tsignpolicies/release";

test("policy status: used, changed, refused -> one condition with the generation, written once for each", async (t) => {
  const { store, policies, write, conditions, state, valid, wait, objects, logged } = cluster(t);
  store(OWN, valid("r.example/**"));
  store("clustertsignpolicies/base", { version: 1, rules: [], secret: "x" });
  await policies.read();
  await write();
  const lastTransitionTime = "2026-03-02T12:00:00Z";
  const ready = { type: "Ready", status: "True", reason: "Loaded", lastTransitionTime };
  const message = "required of the images in namespace shop";
  assert.deepEqual(conditions(OWN), [{ ...ready, message, observedGeneration: 1 }]);
  const [bad] = conditions("clustertsignpolicies/base");
  assert.deepEqual([bad.status, bad.reason, bad.observedGeneration], ["False", "Invalid", 1]);
  assert.match(bad.message, /no image is admitted: .*ClusterTsignPolicy base.*rules: empty/);
  assert.deepEqual(state.writes, [`${BASE}/${OWN}/status`, `${BASE}/clustertsignpolicies/base/status`]);
  // What is known is not written again, whether or not it has been read back.
  await write();
  await policies.read();
  await write();
  assert.equal(state.writes.length, 2);
  assert.equal(logged.filter((each) => each.startsWith("policy loaded")).length, 1, "a status loads no policy again");
  wait(60_000);
  store(OWN, valid("r.example/app"));
  await policies.read();
  await write();
  assert.deepEqual(conditions(OWN), [{ ...ready, message, observedGeneration: 2 }], "the time of the last transition");
  // Another program's condition stays; a refused policy is a transition.
  objects.get(`${BASE}/${OWN}`).status.conditions.unshift({ type: "Synced", status: "True" });
  store(OWN, { ...valid("r.example/app"), mirrors: [{ source: "r.example", mirror: "m.example" }] });
  await policies.read();
  await write();
  const [other, refused] = conditions(OWN);
  assert.deepEqual(other, { type: "Synced", status: "True" });
  assert.deepEqual([refused.status, refused.reason, refused.observedGeneration], ["False", "Invalid", 3]);
  assert.equal(refused.lastTransitionTime, "2026-03-02T12:01:00Z");
  assert.match(refused.message, /mirrors are not allowed in an object; write them/);
  // An object that has changed meanwhile, or is gone, is left alone.
  const writes = state.writes.length;
  store(OWN, valid("r.example/**"));
  objects.delete(`${BASE}/clustertsignpolicies/base`);
  await write();
  assert.equal(state.writes.length, writes);
  assert.equal(conditions(OWN)[1].observedGeneration, 3);
});

test("policy status: written by the elected replica only, and its own changes end in a few looks", async (t) => {
  const { api, io, store, policies, state, valid, log, logged, conditions } = cluster(t);
  store(OWN, valid("r.example/**"));
  store("namespaces/shop/tsignpolicies/bad", { version: 7 });
  const options = { service: { namespace: "ns", name: "tsign" }, lifetime: 90 * 86_400_000, log };
  const stop = new AbortController();
  const [elected, other] = [new CertificateKeeper(api, io, options), new CertificateKeeper(api, io, options)];
  await elected.wait(stop.signal);
  await other.wait(stop.signal);
  const calls = { elected: 0, other: 0 };
  elected.alsoDo("write the status of policies", () => {
    calls.elected++;
    return writeStatuses(api, io, policies.reported);
  });
  other.alsoDo("write the status of policies", async () => {
    calls.other++;
  });
  state.fault = new TsignError("auth", "write x of Kubernetes: permission denied (403)");
  const versions = await policies.read();
  const running = [policies.run(versions, stop.signal), elected.run(5, stop.signal), other.run(5, stop.signal)];
  const until = async (done: () => boolean) => {
    for (let tries = 0; tries < 1000 && !done(); tries++) await real.sleep(5);
    assert.ok(done());
  };
  await until(() => calls.elected > 3);
  assert.equal(logged.filter((each) => each.startsWith("write the status of policies: write x")).length, 1, "once");
  assert.deepEqual(state.writes, []);
  state.fault = undefined;
  await until(() => state.writes.length === 2 && conditions(OWN)?.[0].status === "True");
  await real.sleep(400); // several times what is waited after a change
  const [lists, looks] = [state.lists, calls.elected];
  await real.sleep(250);
  assert.ok(calls.elected > looks);
  assert.equal(state.lists, lists, "nothing is read any more");
  assert.equal(state.writes.length, 2);
  assert.equal(calls.other, 0);
  assert.equal(logged.filter((each) => each.startsWith("policy loaded")).length, 1);
  stop.abort(new TsignError("cancelled", "stopped"));
  await Promise.all(running);
});
