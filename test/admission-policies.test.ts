import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { parse } from "yaml";
import { ClusterPolicies } from "../src/admission/cluster-policies.ts";
import { Decider } from "../src/admission/decider.ts";
import { provide } from "../src/admission/gatekeeper.ts";
import { LivePolicy } from "../src/admission/live-policy.ts";
import { readReview } from "../src/admission/review.ts";
import { review } from "../src/admission/webhook.ts";
import { type Answer, combined } from "../src/admission/words.ts";
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
const [OF_NAMESPACES, OF_CLUSTER] = ["tsignpolicies", "clustertsignpolicies"].map(
  (each) => `/apis/tsign.dev/v1alpha1/${each}`,
) as [string, string];

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes' objects
type Any = any;

/** A registry with images signed by a, by a and b, and not; a policy file that demands a; objects of a cluster. */
async function world(t: TestContext) {
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "a", "b");
  const stored = createRegistryHandler({ referrers: true });
  const http: Io["http"] = async (request) => {
    if (request.url.host !== "r.example")
      throw new TsignError("network", `connect to ${request.url.host}: no such host`);
    return exchange((each) => stored({ ...each, headers: { ...each.headers, host: "localhost" } }), request);
  };
  const io = testIo({ cwd, io: { http } });
  const push = async (name: string, content = name) => {
    const store = await openRegistry(io, parseReference(`r.example/${name}:1`), PLAIN_REGISTRY);
    return (await pushImage(store, { file: "f", content: Buffer.from(content), tag: "1" })).digest;
  };
  const sign = async (name: string, key: string) => {
    const argv = ["sign", `--key=${key}.key`, ...OFFLINE, "-y", `r.example/${name}:1`];
    const { code, stderr } = await run(argv, { cwd, env: { COSIGN_PASSWORD: "pw" }, io: { http } });
    assert.equal(code, 0, stderr);
  };
  for (const name of ["one", "both", "none"]) await push(name);
  for (const name of ["one", "both"]) await sign(name, "a");
  await sign("both", "b");
  const rules = `rules: [{name: file, images: "**", signatures: {signers: a, log: insecure-skip}}]`;
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
  const lists = new Map<string, Any[]>([
    [OF_NAMESPACES, []],
    [OF_CLUSTER, []],
  ]);
  const state = { fault: undefined as TsignError | undefined, changed: undefined as (() => void) | undefined };
  const api = {
    get: async (asked: string) => {
      if (state.fault) throw state.fault;
      const { pathname, searchParams } = new URL(asked, "https://k8s.example");
      const [from, limit] = ["continue", "limit"].map((name) => Number(searchParams.get(name) ?? "0")) as [
        number,
        number,
      ];
      const items = lists.get(pathname)?.slice(from, limit === 0 ? undefined : from + limit);
      if (!items) return undefined;
      if (JSON.stringify(items).length > 1e6)
        throw new TsignError("limit", "read from Kubernetes: the answer is too large");
      const more = from + items.length < (lists.get(pathname)?.length ?? 0) ? { continue: String(from + limit) } : {};
      return { metadata: { resourceVersion: "1", ...more }, items: structuredClone(items) };
    },
    changed: (_path: string, _version: string, signal: AbortSignal) =>
      new Promise<void>((done, fail) => {
        state.changed = done;
        signal.addEventListener("abort", () => fail(signal.reason), { once: true });
      }),
  };
  const logged: string[] = [];
  const log = (entry: Readonly<Record<string, unknown>>) => logged.push(`${entry["message"]} ${entry["policy"] ?? ""}`);
  const policies = new ClusterPolicies(api, io, { registry: () => policy.current.registry, warn: assert.fail, log });
  const pem = (key: string) => readFileSync(join(cwd, `${key}.pub`), "utf8");
  const asked = (kind: string, namespace: string, object: object, more: object = {}) =>
    readReview(
      Buffer.from(
        JSON.stringify({
          ...{ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" },
          request: {
            ...{ uid: "u", operation: "CREATE", namespace, object, ...more },
            kind: { group: kind === "Pod" ? "" : "tsign.dev", version: "v1", kind },
            resource: { group: "", version: "v1", resource: "x" },
          },
        }),
      ),
    );
  const how = { decider, policies, policy: policy.current.policy, within: 8000 };
  const pod = async (namespace: string, name: string, mutates = false) => {
    const object = {
      apiVersion: "v1",
      kind: "Pod",
      spec: { containers: [{ name: "c", image: `r.example/${name}:1` }] },
    };
    return (await review(io, asked("Pod", namespace, object), { ...how, mutates })).response;
  };
  return {
    ...{ io, lists, state, policies, logged, pem, pod, push, sign, decider },
    /** Stores an object as it is, and has it read. */
    async store(namespace: string, name: string, spec: unknown) {
      const list = lists.get(namespace === "" ? OF_CLUSTER : OF_NAMESPACES) ?? [];
      const at = list.findIndex(({ metadata }) => metadata.name === name);
      if (at >= 0) list.splice(at, 1);
      if (spec !== undefined) list.push({ metadata: { name, ...(namespace === "" ? {} : { namespace }) }, spec });
      await policies.read();
    },
    check: async (kind: string, spec: unknown, more: object = {}) =>
      (
        await review(
          io,
          asked(kind, "shop", { apiVersion: "tsign.dev/v1alpha1", kind, metadata: { name: "x" }, spec }, more),
          { ...how, mutates: false },
        )
      ).response,
  };
}

const demand = (pem: string, more = {}) => ({
  version: 1,
  signers: { b: { key: pem } },
  rules: [{ name: "object", images: "**", signatures: { signers: "b", log: "insecure-skip" }, ...more }],
});
const errorOf = (item: object | undefined) => (item as { error?: string } | undefined)?.error;
const ANYTHING = { version: 1, rules: [{ images: "**", insecureAcceptAnything: true }] };

test("policy objects: those of the namespace and of the cluster are demanded besides the file, and weaken nothing", async (t) => {
  const { pod, store, pem, io, decider, policies, logged } = await world(t);
  await policies.read();
  const allowed = async () => {
    const found: string[] = [];
    for (const namespace of ["shop", "other"])
      for (const name of ["one", "both", "none"])
        if ((await pod(namespace, name)).allowed) found.push(`${namespace}/${name}`);
    return found.join(" ");
  };
  assert.equal(await allowed(), "shop/one shop/both other/one other/both");
  await store("shop", "anything", ANYTHING);
  await store("", "anything", ANYTHING);
  assert.equal(await allowed(), "shop/one shop/both other/one other/both", "an unsigned image stays refused");
  await store("shop", "more", demand(pem("b")));
  assert.equal(await allowed(), "shop/both other/one other/both");
  const { status } = await pod("shop", "one");
  assert.equal(status?.code, 403);
  assert.match(status.message, /is refused by rule "object" \(TsignPolicy shop\/more\)/);
  const { response } = await provide(io, ["r.example/one:1"], { decider, policies, within: 8000 });
  assert.equal(errorOf(response.response.items[0]), undefined, "Gatekeeper's keys have no namespace");
  await store("", "more", demand(pem("b")));
  assert.equal(await allowed(), "shop/both other/both");
  const asked = await provide(io, ["r.example/one:1"], { decider, policies, within: 8000 });
  assert.match(errorOf(asked.response.response.items[0]) ?? "", /ClusterTsignPolicy more/);
  await store("", "more", undefined);
  await store("shop", "more", undefined);
  assert.equal(await allowed(), "shop/one shop/both other/one other/both");
  assert.ok(logged.includes("policy loaded TsignPolicy shop/more"), logged.join());
  assert.ok(logged.includes("policy removed TsignPolicy shop/more"));
});

test("policy objects: warnings of an object are shown; what no rule of it matches is refused, as in a file", async (t) => {
  const { pod, store, pem } = await world(t);
  await store("shop", "p", demand(pem("b"), { effect: "warn" }));
  const warned = await pod("shop", "one");
  assert.equal(warned.allowed, true);
  assert.match(warned.warnings?.[0] ?? "", /does not satisfy rule "object"/);
  assert.equal((await pod("shop", "none")).allowed, false, "the file still refuses");
  await store("shop", "p", demand(pem("b"), { images: "elsewhere.example/**" }));
  assert.match((await pod("shop", "one")).status?.message ?? "", /no rule matches/);
  await store("shop", "p", { ...demand(pem("b"), { images: "elsewhere.example/**" }), unmatched: "audit" });
  assert.equal((await pod("shop", "one")).allowed, true);
});

test("policy objects: one that cannot be used admits nothing in its scope; a cluster that does not answer changes nothing", async (t) => {
  const { pod, store, pem, policies, state, lists } = await world(t);
  for (const [spec, reason] of [
    [{ version: 7 }, /cannot be used/],
    [undefined, /cannot be used/],
    ["text", /cannot be used/],
    [demand("not a key"), /is not PEM/],
    [demand("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), /cannot be used/],
  ] as const) {
    lists.set(OF_NAMESPACES, [{ metadata: { name: "p", namespace: "shop" }, ...(spec === undefined ? {} : { spec }) }]);
    await policies.read();
    const { allowed, status } = await pod("shop", "both");
    assert.deepEqual([allowed, status?.code], [false, 403], JSON.stringify(spec));
    assert.match(status?.message ?? "", reason);
    assert.equal((await pod("other", "both")).allowed, true);
  }
  await store("shop", "p", demand(pem("b")));
  const stop = new AbortController();
  const running = policies.run(await policies.read(), stop.signal);
  state.fault = new TsignError("network", "connect to Kubernetes: refused");
  await assert.rejects(policies.read(), { code: "network" });
  assert.equal((await pod("shop", "one")).allowed, false, "what was read last is still demanded");
  state.fault = undefined;
  lists.set(OF_NAMESPACES, []);
  while (!state.changed) await real.sleep(1);
  state.changed();
  for (let tries = 0; tries < 500 && !(await pod("shop", "one")).allowed; tries++) await real.sleep(10);
  assert.equal((await pod("shop", "one")).allowed, true, "a change is noticed");
  stop.abort(new TsignError("cancelled", "stopped"));
  await running;
  lists.delete(OF_CLUSTER);
  await assert.rejects(policies.read(), /there is no such kind/);
  const many = Array.from({ length: 51 }, (_, index) => ({
    metadata: { name: `p${index}`, namespace: "shop" },
    spec: ANYTHING,
  }));
  lists.set(OF_NAMESPACES, many).set(OF_CLUSTER, []);
  await policies.read();
  assert.match((await pod("shop", "both")).status?.message ?? "", /51 policies, more than 50/);
});

test("policy objects: many and large ones of one namespace keep no other from being read", async (t) => {
  const { pod, store, pem, policies, lists, logged } = await world(t);
  const large = (namespace: string, count: number, spec: unknown) =>
    Array.from({ length: count }, (_, index) => ({ metadata: { name: `p${index}`, namespace }, spec }));
  const deep = JSON.parse(`${'{"a":'.repeat(1000)}1${"}".repeat(1000)}`);
  lists.set(OF_NAMESPACES, [
    ...large("flood", 60, { ...ANYTHING, tests: "x".repeat(20_000) }),
    ...large("heavy", 1, { ...ANYTHING, tests: "x".repeat(300_000) }),
    ...large("deep", 1, deep),
    ...large("slow", 1, {
      version: 1,
      signers: Object.fromEntries(
        Array.from({ length: 101 }, (_, index) => [
          `s${index}`,
          { identity: { regexp: "a+" }, issuer: "https://i.example" },
        ]),
      ),
      rules: [{ images: "**", signatures: { signers: "s1" } }],
    }),
  ]);
  await policies.read();
  await store("shop", "more", demand(pem("b")));
  assert.equal((await pod("shop", "one")).allowed, false, "what shop demands is demanded");
  assert.equal((await pod("shop", "both")).allowed, true);
  assert.equal((await pod("other", "one")).allowed, true);
  for (const [namespace, reason] of [
    ["flood", /60 policies, more than 50/],
    ["heavy", /p0 cannot be used: .*larger than 262144 bytes/],
    ["deep", /p0 cannot be used: .*nested/],
    ["slow", /p0 cannot be used: .*more than 100 regular expressions/],
  ] as const) {
    const { allowed, status } = await pod(namespace, "both");
    assert.equal(allowed, false, namespace);
    assert.match(status?.message ?? "", reason);
  }
  assert.ok(!logged.some((each) => each.startsWith("policy loaded TsignPolicy flood")));
  lists.set(OF_NAMESPACES, large("flood", 50, ANYTHING));
  await policies.read();
  assert.equal((await pod("flood", "both")).allowed, true, "as many as may be");
});

test("policy objects: what would use the service's files, credentials or network is refused before it is stored", async (t) => {
  const { check, pem, store, pod } = await world(t);
  const b = pem("b");
  const attested = (policy: object) => ({
    ...demand(b),
    rules: [{ images: "**", attestations: [{ type: "vuln", signers: "b", log: "insecure-skip", policy: [policy] }] }],
  });
  const refused: [string, unknown, RegExp][] = [
    ...[
      "a.pub",
      "/etc/passwd",
      "https://x.example/k.pub",
      "awskms:///alias/x",
      "k8s://kube-system/key",
      "env://HOME",
    ].map((key): [string, unknown, RegExp] => ["TsignPolicy", demand(key), /is not PEM; write the public key/]),
    ["ClusterTsignPolicy", demand("a.pub"), /is not PEM/],
    ["TsignPolicy", { ...demand(b), denied: { keys: [{ key: "a.pub" }] } }, /is not PEM/],
    [
      "TsignPolicy",
      { ...demand(b), trust: { t: { trustedRoot: "https://x.example/root.json" } } },
      /trust "t" names a file/,
    ],
    ["ClusterTsignPolicy", { ...demand(b), trust: { t: { authorities: "ca.pem" } } }, /trust "t" names a file/],
    [
      "ClusterTsignPolicy",
      { ...demand(b), mirrors: [{ source: "r.example", mirror: "10.0.0.1" }] },
      /mirrors are not allowed in an object; write them into the service's policy file/,
    ],
    ["ClusterTsignPolicy", attested({ file: "p.rego" }), /policy "p\.rego" is a file/],
    ["TsignPolicy", attested({ rego: "package x" }), /CUE and Rego are not allowed in a namespace/],
    ["TsignPolicy", { ...demand(b), unmached: "audit" }, /unmached/],
    ["TsignPolicy", { version: 1, rules: [] }, /rules/],
    ["TsignPolicy", undefined, /TsignPolicy shop\/x/],
    ["ClusterTsignPolicy", demand("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), /key in Cluster/],
  ];
  for (const [kind, spec, reason] of refused) {
    const { allowed, status } = await check(kind, spec);
    assert.deepEqual([allowed, status?.code], [false, 400], JSON.stringify(spec));
    assert.match(status?.message ?? "", reason);
  }
  // Each would be compiled for seconds, in which nobody else is answered.
  const matching = (...expressions: string[]) => ({
    ...demand(b),
    signers: Object.fromEntries(
      ["b", ...expressions.slice(1).map((_, index) => `s${index}`)].map((name, index) => [
        name,
        { identity: { regexp: expressions[index] ?? "" }, issuer: "https://i.example" },
      ]),
    ),
  });
  for (const spec of [
    matching("\\pL{999}".repeat(120)),
    matching("(\\pL{30}){30}".repeat(30)),
    matching(`(${"\\pL".repeat(300)}){1000}`),
    matching(...Array<string>(50).fill("[a-z]{1,999}")),
  ]) {
    const { allowed, status } = await check("TsignPolicy", spec);
    assert.equal(allowed, false);
    assert.match(
      status?.message ?? "",
      /^TsignPolicy shop\/x has regular expressions with too many repetitions; write \* or \+/,
    );
  }
  const usual = [
    "https://github\\.com/acme/[a-z0-9-]{1,39}/.+@refs/tags/v\\d{1,3}",
    "[0-9a-f]{40}",
    "(a|b){2,8}c",
    "x{2,}",
  ];
  assert.equal((await check("TsignPolicy", matching(...usual))).status, undefined);
  assert.equal((await check("TsignPolicy", demand(b))).allowed, true);
  assert.equal((await check("ClusterTsignPolicy", attested({ rego: "package x" }))).allowed, true);
  const bad = { spec: { version: 7 } };
  assert.equal(
    (await check("TsignPolicy", bad.spec, { operation: "UPDATE", oldObject: bad })).allowed,
    true,
    "a label",
  );
  assert.equal((await check("TsignPolicy", bad.spec, { operation: "UPDATE", oldObject: ANYTHING })).allowed, false);
  assert.equal((await check("TsignPolicy", undefined, { operation: "DELETE" })).allowed, true);
  // Stored all the same: nothing is opened, and nothing admitted.
  await store("shop", "p", demand("https://r.example/k.pub"));
  assert.match((await pod("shop", "both")).status?.message ?? "", /is not PEM/);
});

test("docs/admission.md: the object of the page is accepted", async (t) => {
  const { check } = await world(t);
  const page = readFileSync(resolve(import.meta.dirname, "../docs/admission.md"), "utf8");
  const [, text = ""] = /```yaml\n(apiVersion: tsign\.dev[\s\S]*?)```/.exec(page) ?? [];
  const { apiVersion, kind, spec } = parse(text);
  assert.equal(apiVersion, "tsign.dev/v1alpha1");
  assert.deepEqual(await check(kind, spec), { uid: "u", allowed: true });
  assert.equal((await check(kind, { ...spec, rules: [] })).allowed, false);
});

test("policy objects: one answer of several; a tag that is moved between two policies is neither admitted nor pinned", async (t) => {
  const common = { image: "r.example/app:1", rule: "r", text: "", isDefect: false, source: "verified" } as const;
  const [one, two] = ["1", "2"].map((each) => `r.example/app@sha256:${each.repeat(64)}`);
  const good: Answer = { ...common, pinned: one, allowed: true, ok: true, reason: "accepted", effect: "enforce" };
  const named = { ...good, pinned: undefined };
  const warned: Answer = { ...good, ok: false, reason: "unsigned", effect: "warn", text: "warned" };
  const audited: Answer = { ...warned, effect: "audit", text: "audited" };
  const refused: Answer = { ...good, allowed: false, ok: false, reason: "refused", text: "refused" };
  const unchecked: Answer = { ...refused, pinned: undefined, reason: "unchecked", text: "unchecked" };
  assert.deepEqual(combined([good]), good);
  assert.deepEqual(combined([named, good]), good, "the digest that was verified");
  assert.equal(combined([good, audited, warned]).text, "warned");
  assert.equal(combined([good, audited]).text, "audited");
  assert.equal(combined([good, unchecked, refused]).text, "refused", "final");
  assert.equal(combined([unchecked, warned]).text, "unchecked");
  const moved = combined([good, { ...good, pinned: two }]);
  assert.deepEqual([moved.allowed, moved.ok, moved.pinned, moved.reason], [false, false, undefined, "unchecked"]);
  assert.match(moved.text, /its tag was moved meanwhile; try again/);
  assert.throws(() => combined([]), { code: "internal" });
  const { pod, store, pem } = await world(t);
  await store("shop", "p", demand(pem("b")));
  const both = await pod("shop", "both", true);
  assert.ok(both.allowed && both.patch !== undefined);
  assert.equal((await pod("shop", "one", true)).patch, undefined);
  await store("shop", "p", { ...demand(pem("b"), { images: "**:1" }), unmatched: "audit" });
  assert.equal((await pod("shop", "both", true)).patch, undefined, "by its digest the rule would not match");
});
