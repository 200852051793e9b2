import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Decider } from "../src/admission/decider.ts";
import { provide, readKeys } from "../src/admission/gatekeeper.ts";
import { LivePolicy } from "../src/admission/live-policy.ts";
import { readReview } from "../src/admission/review.ts";
import { AdmissionService } from "../src/admission/service.ts";
import { type Reviewed, review } from "../src/admission/webhook.ts";
import { readWorkloads } from "../src/admission/workload-paths.ts";
import { digestOf } from "../src/format/digest.ts";
import type { HttpRequest, Io } from "../src/io/io.ts";
import { openRegistry, PLAIN_REGISTRY } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { attachmentTag } from "../src/oci/tags.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { testSigstore } from "./support/sandbox.ts";
import { attachReferrer, descriptorOf } from "./support/storage.ts";
import { OFFLINE, run, temporaryFolder, testIo } from "./support/test-io.ts";

const MONDAY = Date.parse("2026-03-02T12:00:00Z");
const MINUTE = 60_000;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** A registry with signed and unsigned images, and a service that decides by a policy. */
async function world(t: TestContext, more = "", options = { timeout: 8000 }) {
  let now = MONDAY;
  const sigstore = await testSigstore({ clock: () => new Date(now) });
  const { registry, faults, requests } = sigstore;
  const cwd = temporaryFolder(t);
  const io = testIo({ io: sigstore.io, cwd });
  const tsign = async (...argv: string[]) => {
    const ended = await run(argv, { cwd, io: sigstore.io, env: { COSIGN_PASSWORD: "pw" } });
    assert.equal(ended.code, 0, ended.stderr);
  };
  writeKeyPairs(cwd, "a", "b");
  const push = async (name: string, content = name) => {
    const store = await openRegistry(io, parseReference(`${registry}/${name}:1`), PLAIN_REGISTRY);
    return (await pushImage(store, { file: "f", content: Buffer.from(content), tag: "1" })).digest;
  };
  const sign = (image: string, key = "a.key") => tsign("sign", "--key", key, ...OFFLINE, "-y", image);
  const policyOf = (rules: string) =>
    `version: 1\nsigners: {a: {key: a.pub}, b: {key: b.pub}}\nrules:\n${more}  - {name: all, images: "${registry}/${rules}", signatures: {signers: a, log: insecure-skip}}\n`;
  const write = (text: string) => writeFileSync(join(cwd, "policy.yaml"), text);
  write(policyOf("**"));
  const origin = {
    read: async () => ({
      content: await io.files.read("policy.yaml", { maxBytes: 1e6 }),
      path: join(cwd, "policy.yaml"),
    }),
    registry: PLAIN_REGISTRY,
    warn: assert.fail,
  };
  const policy = await LivePolicy.open(io, origin);
  const decide = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(io, { current: () => policy.current, options: decide });
  const ask = (body: unknown, mutates = false, workloads: readonly string[] = []): Promise<Reviewed> =>
    review(io, readReview(Buffer.from(JSON.stringify(body))), {
      ...{ decider, policy: policy.current.policy, mutates, within: options.timeout },
      workloads: readWorkloads(workloads),
    });
  const ofPod = async (image: string, changes = {}) => ask(reviewOf(pod([image]), changes));
  return {
    ...{
      io,
      registry,
      faults,
      requests,
      tsign,
      push,
      sign,
      policyOf,
      write,
      policy,
      decider,
      ask,
      ofPod,
      cwd,
      sigstore,
    },
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
    image: (name: string) => `${registry}/${name}:1`,
  };
}

const pod = (images: readonly string[], spec = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p" },
  spec: { containers: images.map((image, index) => ({ name: `c${index}`, image })), ...spec },
});

function reviewOf(object: Record<string, unknown>, changes: Record<string, unknown> = {}) {
  const [group = "", version = ""] = String(object["apiVersion"]).includes("/")
    ? String(object["apiVersion"]).split("/")
    : ["", String(object["apiVersion"])];
  const kind = String(object["kind"]);
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
      kind: { group, version, kind },
      resource: { group, version, resource: `${kind.toLowerCase()}s` },
      name: "",
      namespace: "default",
      operation: "CREATE",
      userInfo: { username: "admin", groups: ["system:masters"] },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
      ...changes,
    },
  };
}

const patchOf = ({ response: { patch = "" } }: Reviewed) =>
  JSON.parse(Buffer.from(patch, "base64").toString("utf8") || "[]") as { op: string; path: string; value: string }[];

test("admission: a signed image -> allowed; unsigned, other key, no rule, no such tag -> 403 with the reason and what to do", async (t) => {
  const { push, sign, ofPod, image } = await world(t);
  for (const name of ["good", "unsigned", "other"]) await push(name);
  await sign(image("good"));
  await sign(image("other"), "b.key");
  const good = await ofPod(image("good"));
  assert.equal(good.response.allowed, true);
  assert.equal(good.response.uid, "705ab4f5-6393-11e8-b7cc-42010a800002");
  assert.equal(good.response.status, undefined);
  const refusals = {
    [image("unsigned")]:
      /unsigned:1" is refused by rule "all" \(.*policy\.yaml:4:6\): signatures: expected a, found no signature that counts; sign the image/,
    [image("other")]: /other:1" is refused by rule "all".*nearest: a: .*run `tsign policy explain /,
    [image("missing")]: /missing:1" is refused: no such image/,
    "registry.example/app:1": /is refused by .*policy\.yaml: no rule matches; add a rule/,
    "Not An Image": /is refused: could not parse reference/,
  };
  for (const [name, expected] of Object.entries(refusals)) {
    const { response } = await ofPod(name);
    assert.equal(response.allowed, false, name);
    assert.deepEqual([response.status?.code, response.status?.reason], [403, "Forbidden"], name);
    assert.match(response.status?.message ?? "", expected);
  }
});

test("admission: every place of an image in every kind of workload -> an unsigned image there is refused", async (t) => {
  const { push, sign, ask, image } = await world(t);
  for (const name of ["good", "bad"]) await push(name);
  await sign(image("good"));
  const places = (bad: string) => [
    { containers: [{ image: image("good") }, { image: bad }] },
    { containers: [{ image: image("good") }], initContainers: [{ image: bad }] },
    { containers: [{ image: image("good") }], ephemeralContainers: [{ image: bad }] },
    { containers: [{ image: image("good") }], volumes: [{ name: "v", image: { reference: bad } }] },
  ];
  const template = (spec: unknown) => ({ spec: { template: { metadata: {}, spec } } });
  const kinds = (spec: unknown) => [
    { apiVersion: "v1", kind: "Pod", spec },
    { apiVersion: "v1", kind: "PodTemplate", template: { spec } },
    { apiVersion: "v1", kind: "ReplicationController", ...template(spec) },
    ...["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"].map((kind) => ({
      ...{ apiVersion: "apps/v1", kind, ...template(spec) },
    })),
    { apiVersion: "batch/v1", kind: "Job", ...template(spec) },
    { apiVersion: "batch/v1", kind: "CronJob", spec: { jobTemplate: template(spec) } },
  ];
  for (const [name, allowed] of [
    ["good", true],
    ["bad", false],
  ] as const) {
    for (const spec of places(image(name))) {
      for (const object of kinds(spec)) {
        const { response } = await ask(reviewOf(object));
        assert.equal(response.allowed, allowed, `${name} ${JSON.stringify(object)}: ${response.status?.message}`);
      }
    }
  }
});

/** A custom resource, and the request for it. */
const custom = (spec: unknown, changes: Record<string, unknown> = {}) =>
  reviewOf({ apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", spec }, changes);
const ROLLOUTS = "rollouts.argoproj.io=/spec/template";

test("admission: a custom resource with a path -> its images are required to be signed; at other places there are none", async (t) => {
  const { push, sign, ask, image } = await world(t);
  for (const name of ["good", "bad", "other"]) await push(name);
  await sign(image("good"));
  const judge = async (paths: readonly string[], spec: unknown, changes?: Record<string, unknown>) => {
    const { response, answers } = await ask(custom(spec, changes), false, paths);
    const { code = 200, message = "" } = response.status ?? {};
    assert.equal(response.allowed, code === 200);
    return { code, message, images: answers.map((each) => each.image.replace(/^.*\/|:1$/g, "")).sort() };
  };
  const spec = (name: string) => ({ containers: [{ name: "c", image: image(name) }] });
  const template = (name: string) => ({ metadata: {}, spec: spec(name) });
  const at = (path: string) => [`rollouts.argoproj.io=${path}`];
  for (const [name, code] of [
    ["good", 200],
    ["bad", 403],
  ] as const) {
    const both = { items: [template("good"), null, template(name)], by: { "a/b~": template(name) } };
    for (const [paths, value] of [
      [at("/spec/template"), { template: template(name) }],
      [at("/spec/template/spec"), { template: template(name) }],
      [at("/spec/pod"), { pod: spec(name) }],
      [at("/spec/a~1b~0"), { "a/b~": template(name) }],
      [at("/spec/items/*"), both],
      [at("/spec/by/*"), both],
      [[...at("/spec/one"), ...at("/spec/template")], { template: template(name) }],
    ] as const) {
      const { code: got, message, images } = await judge(paths, value);
      assert.equal(got, code, `${paths}: ${message}`);
      assert.ok(images.includes(name), `${paths}: ${images}`);
    }
  }
  // Where nothing is at its paths, it starts no Pods by itself: an image that stands elsewhere is not looked at.
  for (const value of [{ workloadRef: {} }, { template: null }, { moved: template("bad") }, { items: [] }, undefined]) {
    const none = await judge([ROLLOUTS, ...at("/spec/items/*")], value);
    assert.deepEqual(none, { code: 200, message: "", images: [] }, JSON.stringify(value));
  }
  const moved = await judge(at("/spec/moved"), { template: template("good"), moved: template("bad") });
  assert.equal(moved.code, 403);
  // Only images that it did not have are looked at, and only in the configured places of its old version.
  const had = { oldObject: custom({ template: template("bad") }).request.object, operation: "UPDATE" };
  assert.deepEqual((await judge([ROLLOUTS], { template: template("bad") }, had)).images, []);
  assert.equal((await judge([ROLLOUTS], { template: template("other") }, had)).code, 403);
  assert.equal((await judge(at("/spec/pod"), { pod: spec("bad") }, had)).code, 403);
});

test("admission: a custom resource whose path leads to something else, and kinds without a path -> refused", async (t) => {
  const { push, sign, ask, image } = await world(t);
  await push("good");
  await sign(image("good"));
  const good = { containers: [{ name: "c", image: image("good") }] };
  const refused = async (spec: unknown, reason: string, paths = [ROLLOUTS], changes = {}) => {
    const { response } = await ask(custom(spec, changes), false, paths);
    assert.deepEqual([response.allowed, response.status?.code], [false, 400], JSON.stringify(spec));
    assert.equal(response.status?.message, `read Rollout of argoproj.io: ${reason}`);
  };
  await refused(7, "spec is not an object");
  for (const value of [7, "x", true, []])
    await refused({ template: value }, "spec.template is not an object; spec.template is not an object");
  const neither = "spec.template is not a Pod template or a Pod specification";
  for (const value of [{}, { template: good }, { initContainers: good.containers }])
    await refused({ template: value }, neither);
  await refused({ template: { spec: good, ...good } }, "spec.template has both spec and containers");
  await refused({ template: { spec: {} } }, "spec.template.spec.containers is missing");
  await refused({ template: { spec: { template: { spec: good } } } }, "spec.template.spec.containers is missing");
  await refused({ template: { spec: { containers: {} } } }, "spec.template.spec.containers is not a list");
  await refused(
    { template: { spec: { containers: [{ image: 7 }] } } },
    "spec.template.spec.containers.0.image is not a string",
  );
  await refused({ Template: { spec: good } }, 'spec has the field "Template", want "template"');
  await refused(
    { template: { Spec: good, containers: good.containers } },
    'spec.template has the field "Spec", want "spec"',
  );
  const list = ["rollouts.argoproj.io=/spec/items/*"];
  await refused({ items: 7 }, "spec.items is not a list or an object", list);
  await refused({ items: [{ spec: good }, 7] }, "spec.items.1 is not an object; spec.items.1 is not an object", list);
  await refused({ items: [{ spec: good }] }, "spec.items is not an object", ["rollouts.argoproj.io=/spec/items/0"]);
  const many = Array.from({ length: 101 }, () => ({ spec: good }));
  await refused({ items: many }, "has more than 100 Pod templates", list);
  const unknown = "it is not known where Rollout of argoproj.io names its images";
  for (const paths of [[], ["rollout.argoproj.io=/spec/template"], ["rollouts.argoproj.example=/spec/template"]]) {
    await refused({ template: { spec: good } }, unknown, paths);
  }
  const resource = { group: "argoproj.example", version: "v1", resource: "rollouts" };
  await refused({ template: { spec: good } }, unknown, ["rollouts.argoproj.example=/spec/template"], { resource });
  const scale = { apiVersion: "autoscaling/v1", kind: "Scale", spec: { replicas: 1 } };
  const of = { operation: "UPDATE", resource: { group: "argoproj.io", version: "v1alpha1", resource: "rollouts" } };
  assert.equal((await ask(reviewOf(scale, { ...of, subResource: "scale" }), false, [ROLLOUTS])).response.allowed, true);
  assert.equal((await ask(reviewOf(scale, of), false, [ROLLOUTS])).response.allowed, false);
  // A Pod stays a Pod, whatever is configured.
  const pods = reviewOf(pod([image("unsigned")]), { resource: of.resource });
  assert.equal((await ask(pods, false, ["rollouts.argoproj.io=/spec/none"])).response.allowed, false);
});

test("admission: /mutate of a custom resource -> digests at its paths, once for each image, and nothing the second time", async (t) => {
  const { push, sign, ask, image } = await world(t);
  const digest = await push("good");
  await sign(image("good"));
  const spec = { containers: [{ name: "c", image: image("good") }], initContainers: [{ image: image("good") }] };
  const object = { template: { spec }, by: { "a/b~c": { spec } } };
  // Two paths lead to one specification: an image that is replaced twice would fail its own test.
  const paths = ["template", "template/spec", "by/*"].map((path) => `rollouts.argoproj.io=/spec/${path}`);
  const reviewed = await ask(custom(object), true, paths);
  const patch = patchOf(reviewed);
  const places = ["/spec/template/spec", "/spec/by/a~1b~0c/spec"].flatMap((at) => [
    `${at}/initContainers/0/image`,
    `${at}/containers/0/image`,
  ]);
  assert.deepEqual(
    patch.filter(({ op }) => op === "replace"),
    places.map((path) => ({ op: "replace", path, value: `${image("good")}@${digest}` })),
  );
  const whole: Record<string, unknown> = JSON.parse(JSON.stringify({ spec: object }));
  for (const { op, path, value } of patch) {
    const fields = path
      .slice(1)
      .split("/")
      .map((each) => each.replaceAll("~1", "/").replaceAll("~0", "~"));
    // biome-ignore lint/suspicious/noExplicitAny: any JSON
    const parent: any = fields.slice(0, -1).reduce((of: any, field) => of[field], whole);
    if (op === "test") assert.equal(parent.image, value, path);
    else parent.image = value;
  }
  const again = await ask(custom(whole["spec"]), true, paths);
  assert.deepEqual([again.response.allowed, patchOf(again)], [true, []]);
});

test("readWorkloads: what is not RESOURCE.GROUP=POINTER, and Kubernetes' own kinds -> refused", () => {
  const two = readWorkloads([ROLLOUTS, "rollouts.argoproj.io=/spec/*/a~1b", ROLLOUTS]);
  assert.deepEqual(
    [...two].map(([key, paths]) => [key, paths.map(({ fields }) => fields)]),
    [
      [
        "argoproj.io/rollouts",
        [
          ["spec", "template"],
          ["spec", "*", "a/b"],
        ],
      ],
    ],
  );
  const wrong = [
    "",
    "rollouts.argoproj.io",
    "=/spec",
    "rollouts=/spec",
    "pods=/spec",
    "deployments.apps=/spec",
    "jobs.batch=/spec",
  ];
  const paths = [
    "",
    "/",
    "spec",
    "/spec/",
    "//spec",
    "/spec/~2",
    "/spec/$(HOME)",
    "/spec/a*",
    "/spec template",
    ".spec",
  ];
  for (const text of [...wrong, "Rollouts.argoproj.io=/spec", ...paths.map((path) => `rollouts.argoproj.io=${path}`)]) {
    assert.throws(() => readWorkloads([text]), { code: "usage" }, text);
  }
});

test("admission: deletions, scaling, exec and unchanged images -> allowed without a request; a changed image is looked at", async (t) => {
  const { push, ask, image, requests } = await world(t);
  for (const name of ["old", "new"]) await push(name);
  const before = requests.length;
  const old = pod([image("old")]);
  const scale = { apiVersion: "autoscaling/v1", kind: "Scale", spec: { replicas: 1 } };
  const passing = [
    reviewOf(old, { operation: "DELETE", object: null, oldObject: old }),
    reviewOf(scale, { operation: "UPDATE", subResource: "scale" }),
    reviewOf({ ...old, metadata: { labels: { a: "b" } } }, { operation: "UPDATE", oldObject: old }),
    reviewOf(old, {
      operation: "CONNECT",
      kind: { group: "", version: "v1", kind: "PodExecOptions" },
      subResource: "exec",
    }),
  ];
  for (const body of passing) assert.equal((await ask(body)).response.allowed, true, JSON.stringify(body));
  assert.equal(requests.length, before);
  const changed = reviewOf(pod([image("old"), image("new")]), { operation: "UPDATE", oldObject: old });
  const { response } = await ask(changed);
  assert.match(response.status?.message ?? "", /new:1"/);
  assert.doesNotMatch(response.status?.message ?? "", /old:1"/);
  assert.equal((await ask(reviewOf(old, { oldObject: old }))).response.allowed, false, "CREATE has no old version");
  assert.equal((await ask(reviewOf(scale, { operation: "CREATE" }))).response.allowed, false, "not a subresource");
});

test("admission: what cannot be read -> refused or an exception for answer 400, never allowed", async (t) => {
  const { push, sign, ask, image } = await world(t);
  await push("good");
  await sign(image("good"));
  const good = pod([image("good")]);
  const envelopes = [
    [],
    {},
    { ...reviewOf(good), apiVersion: "admission.k8s.io/v1beta1" },
    { ...reviewOf(good), kind: "Review" },
    { ...reviewOf(good), request: null },
    reviewOf(good, { uid: "" }),
    reviewOf(good, { uid: 7 }),
  ];
  for (const body of envelopes) await assert.rejects(async () => ask(body), { code: "input" }, JSON.stringify(body));
  for (const text of ["", "{", "null", '{"a":1,"a":2}', "\u00ff", "[".repeat(1e5)]) {
    assert.throws(() => readReview(Buffer.from(text, "latin1")), { code: "input" });
  }
  const spec = (changes: object) => ({ ...good, spec: { ...good.spec, ...changes } });
  const objects: [Record<string, unknown>, Record<string, unknown>][] = [
    [good, { operation: "PATCH" }],
    [good, { object: null }],
    [good, { object: [] }],
    [good, { kind: { group: "", version: "v1", kind: "Service" } }],
    [good, { kind: { group: "apps", version: "v1", kind: "Pod" } }],
    [good, { kind: null }],
    [good, { resource: {} }],
    [good, { namespace: 7 }],
    [{ apiVersion: "argoproj.io/v1alpha1", kind: "Rollout", spec: good.spec }, {}],
    [{ ...good, spec: undefined }, {}],
    [{ ...good, spec: [] }, {}],
    [spec({ containers: undefined }), {}],
    [spec({ containers: {} }), {}],
    [spec({ containers: [7] }), {}],
    [spec({ containers: [{ image: 7 }] }), {}],
    [spec({ containers: [{ image: ["x"] }] }), {}],
    [spec({ containers: [{}] }), {}],
    [spec({ containers: [{ image: "" }] }), {}],
    [spec({ containers: [{ image: "a".repeat(5000) }] }), {}],
    [spec({ Containers: [{ image: "unsigned" }] }), {}],
    [spec({ containers: [{ image: image("good"), Image: "unsigned" }] }), {}],
    [spec({ container\u017f: [{ image: "unsigned" }] }), {}],
    [spec({ volumes: [{ image: "unsigned" }] }), {}],
    [spec({ volumes: [{ image: { reference: 7 } }] }), {}],
    [spec({ volumes: {} }), {}],
  ];
  for (const [object, changes] of objects) {
    const { response } = await ask(reviewOf(object, changes));
    assert.equal(response.allowed, false, JSON.stringify([object, changes]));
    assert.equal(response.status?.code, 400, JSON.stringify([object, changes]));
    assert.match(response.status?.message ?? "", /^read \w/);
  }
});

test("admission: thousands of repositories that nobody needs again -> their sessions are forgotten", async (t) => {
  const { decider, policy, push, sign, image } = await world(t);
  const { sessions } = policy.current.registry.connections ?? assert.fail("no connections");
  const idle = new Promise<never>(() => {});
  for (let index = 0; index < 5001; index++) sessions.set(`r.example/app${index}`, idle);
  await push("good");
  await sign(image("good"));
  const outcome = await decider.decide(image("good"), MONDAY + MINUTE);
  assert.ok(outcome.kind === "decided" && outcome.decision.ok);
  assert.ok(sessions.size < 10, String(sessions.size));
});

test("admission: 10,000 containers -> one image is decided once, 10,000 images are refused at once", async (t) => {
  const { push, sign, ask, image, registry, requests } = await world(t);
  await push("good");
  await sign(image("good"));
  const before = requests.length;
  const same = await ask(reviewOf(pod(Array.from({ length: 10_000 }, () => image("good")))));
  assert.equal(same.response.allowed, true);
  assert.ok(requests.length - before < 10, `${requests.length - before} requests`);
  const different = await ask(reviewOf(pod(Array.from({ length: 10_000 }, (_, index) => `${registry}/x${index}`))));
  assert.equal(different.response.allowed, false);
  assert.match(different.response.status?.message ?? "", /names 10000 images, more than 200/);
});

test("admission: effects warn and audit -> allowed with a warning, or with annotations only; a denied digest stays refused", async (t) => {
  const rules =
    '  - {name: w, images: "*/warned*", effect: warn, signatures: {signers: a, log: insecure-skip}}\n'.replace(
      "*/",
      "127.0.0.1:1/",
    );
  const audit = rules.replaceAll("warn", "audit").replace("name: w", "name: au");
  const { push, ofPod, image, write, policyOf, policy, wait } = await world(t, rules + audit);
  const digest = await push("warned");
  await push("audited");
  const warned = (await ofPod(image("warned"))).response;
  assert.equal(warned.allowed, true);
  assert.match(warned.warnings?.[0] ?? "", /warned:1" does not satisfy rule "w"/);
  const audited = (await ofPod(image("audited"))).response;
  assert.deepEqual([audited.allowed, audited.warnings], [true, undefined]);
  assert.match(audited.auditAnnotations?.["unsatisfied"] ?? "", /audited:1" does not satisfy/);
  assert.match(audited.auditAnnotations?.["images"] ?? "", /"reason":"unsigned"/);
  write(`${policyOf("**")}denied: {digests: [{digest: "${digest}", reason: stolen}]}\n`);
  wait(1000);
  assert.equal(await policy.refresh(), "reloaded");
  const denied = (await ofPod(image("warned"))).response;
  assert.equal(denied.allowed, false);
  assert.match(denied.status?.message ?? "", /denied digest: stolen/);
});

test("admission: an image by another spelling of its name is decided by the rule for its repository", async (t) => {
  const { policy, decider, write, wait } = await world(t);
  const strict = (images: string) =>
    `  - {name: strict, images: "${images}", digest: required, signatures: {signers: a, log: insecure-skip}}\n`;
  write(
    `version: 1\nsigners: {a: {key: a.pub}}\nrules:\n${strict("docker.io/library/nginx")}${strict("r.example/prod/app")}  - {name: loose, images: "**", insecureAcceptAnything: true}\n`,
  );
  wait(1000);
  assert.equal(await policy.refresh(), "reloaded");
  const hub = ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "Docker.IO"];
  const hosts = ["r.example", "R.Example", "r.example:443", "r.example.", "r.example.:443"];
  const spelt = [
    ...["nginx", "nginx:1", "library/nginx", "library//nginx:1"],
    ...hub.flatMap((host) => [`${host}/nginx:1`, `${host}/library/nginx`, `${host}//library/nginx:1`]),
    ...hosts.flatMap((host) => [`${host}/prod/app:1`, `${host}/prod/app`, `${host}//prod//app:1`]),
  ];
  for (const image of spelt) {
    const outcome = await decider.decide(image, MONDAY + MINUTE);
    assert.equal(outcome.kind === "decided" && outcome.decision.allowed, false, image);
    assert.equal(outcome.rule?.name ?? "invalid", "strict", image);
  }
  // What no container runtime reads as an image is not one for a looser rule either.
  for (const image of [" nginx", "nginx ", "https://docker.io/nginx", "Nginx", "docker.io/nginx@sha256:12", "a:b:c"]) {
    const { kind } = await decider.decide(image, MONDAY + MINUTE);
    assert.equal(kind, "failed", image);
  }
  assert.equal((await decider.decide("r.example/other/app:1", MONDAY + MINUTE)).rule?.name, "loose");
});

test("admission: a rule that refuses every image, or those without a digest -> refused without a request, with what to do", async (t) => {
  const { policy, ofPod, write, wait, requests } = await world(t);
  write(
    'version: 1\nrules:\n  - {images: "r.example/old/**", refuse: not maintained}\n  - {images: "**", digest: required, insecureAcceptAnything: true}\n',
  );
  wait(1000);
  assert.equal(await policy.refresh(), "reloaded");
  const before = requests.length;
  const { status } = (await ofPod("r.example/old/app:1")).response;
  assert.equal(status?.code, 403);
  assert.match(status.message, /not maintained; use another image$/);
  assert.match((await ofPod("r.example/app:1")).response.status?.message ?? "", /; name the image by its digest: /);
  assert.equal((await ofPod(`r.example/app@sha256:${"a".repeat(64)}`)).response.allowed, true);
  assert.equal(requests.length, before);
});

test("admission: a denied image -> refused by its other digest too, where the rule accepts anything", async (t) => {
  const { push, policy, decider, write, wait, image, io } = await world(t);
  const digest = await push("app");
  const store = await openRegistry(io, parseReference(image("app")), PLAIN_REGISTRY);
  const { bytes = Buffer.alloc(0) } = (await store.manifest(digest)) ?? {};
  const other = digestOf(bytes, "sha512");
  write(
    `version: 1\nrules: [{images: "**", insecureAcceptAnything: true}]\ndenied: {digests: [{digest: "${other}", reason: stolen}]}\n`,
  );
  wait(1000);
  assert.equal(await policy.refresh(), "reloaded");
  for (const name of [image("app"), `${image("app")}@${digest}`]) {
    const outcome = await decider.decide(name, MONDAY + MINUTE);
    assert.ok(outcome.kind === "decided" && !outcome.decision.allowed, name);
    assert.match(outcome.decision.reasons.join(), /denied digest: stolen/);
  }
  await push("fine");
  const fine = await decider.decide(image("fine"), MONDAY + MINUTE);
  assert.ok(fine.kind === "decided" && fine.decision.allowed);
});

test("admission: a registry that is down -> 503; it answers again -> decided anew, nothing was kept", async (t) => {
  const { push, sign, ofPod, image, faults } = await world(t);
  await push("good");
  await sign(image("good"));
  // Everything is down; the lists answer and the signature does not.
  for (const path of ["", "/blobs/"]) {
    faults.add({ service: "registry", kind: "status", value: "500", path });
    const down = (await ofPod(image("good"))).response;
    assert.deepEqual([down.allowed, down.status?.code, down.status?.reason], [false, 503, "ServiceUnavailable"], path);
    assert.match(down.status?.message ?? "", /good:1" could not be checked/);
    faults.clear();
  }
  assert.equal((await ofPod(image("good"))).response.allowed, true);
});

test("admission: mutation -> tags become the verified digests; a second time, and for digests, nothing is changed", async (t) => {
  const rule = '  - {name: tagged, images: "127.0.0.1:1/tagged:1", signatures: {signers: a, log: insecure-skip}}\n';
  const { push, sign, ask, image } = await world(t, rule);
  const digest = await push("good");
  await push("bad");
  await push("tagged");
  for (const name of ["good", "tagged"]) await sign(image(name));
  const volumes = [{ name: "v", image: { reference: image("good") } }];
  const patched = await ask(reviewOf(pod([image("good"), image("good")], { volumes })), true);
  const pinned = `${image("good")}@${digest}`;
  assert.equal(patched.response.patchType, "JSONPatch");
  const places = ["/spec/containers/0/image", "/spec/containers/1/image", "/spec/volumes/0/image/reference"];
  assert.deepEqual(
    patchOf(patched),
    places.flatMap((path) => [
      { op: "test", path, value: image("good") },
      { op: "replace", path, value: pinned },
    ]),
  );
  const again = await ask(reviewOf(pod([pinned])), true);
  assert.deepEqual([again.response.allowed, again.response.patch], [true, undefined]);
  assert.equal((await ask(reviewOf(pod([image("good")])))).response.patch, undefined, "validation has no patch");
  const refused = await ask(reviewOf(pod([image("good"), image("bad")])), true);
  assert.deepEqual([refused.response.allowed, refused.response.patch], [false, undefined]);
  const byTag = await ask(reviewOf(pod([image("tagged")])), true);
  assert.deepEqual(
    [byTag.response.allowed, byTag.response.patch],
    [true, undefined],
    "another rule decides on its digest",
  );
});

test("admission: decisions are kept by digest and rule: accepted for minutes, refused for seconds; equal ones in flight are one", async (t) => {
  const { push, sign, ofPod, image, registry, requests, wait, write, policyOf, policy } = await world(t);
  const [good, bad] = [await push("good"), await push("bad")];
  await sign(image("good"));
  const [pinned, unsigned] = [`${registry}/good@${good}`, `${registry}/bad@${bad}`];
  const cost = async (name: string, allowed: boolean) => {
    const before = requests.length;
    const { response } = await ofPod(name);
    assert.equal(response.allowed, allowed, response.status?.message ?? "allowed");
    return requests.length - before;
  };
  const one = await cost(pinned, true);
  assert.ok(one > 0);
  assert.equal(await cost(pinned, true), 0);
  wait(9 * MINUTE);
  assert.equal(await cost(pinned, true), 0);
  wait(2 * MINUTE);
  assert.ok((await cost(pinned, true)) > 0);
  assert.ok((await cost(unsigned, false)) > 0);
  assert.equal(await cost(unsigned, false), 0);
  wait(11_000);
  assert.ok((await cost(unsigned, false)) > 0);
  await sign(unsigned);
  wait(11_000);
  assert.ok((await cost(unsigned, true)) > 0, "it was signed");
  // Another policy: nothing that was decided before counts.
  write(policyOf("**").replace("signers: a,", "signers: b,"));
  wait(1000);
  assert.equal(await policy.refresh(), "reloaded");
  await cost(pinned, false);
  write(policyOf("**"));
  assert.equal(await policy.refresh(), "reloaded");
  const before = requests.length;
  const all = await Promise.all(Array.from({ length: 50 }, () => ofPod(pinned)));
  assert.ok(all.every(({ response }) => response.allowed));
  assert.equal(requests.length - before, one);
});

test("admission: a demand for young signatures -> judged anew with what is kept, and refused when they are too old", async (t) => {
  const { push, image, sigstore, tsign, write, wait, policy, ofPod, registry, requests, cwd } = await world(t);
  const digest = await push("good");
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor2);
  const services = ["--signing-config=config.json", "--trusted-root=root.json"];
  await tsign("sign", "--key=a.key", "-y", ...services, image("good"));
  const dated = "{signers: a, maxAge: 1h}";
  write(
    `version: 1\ntrust: {default: {trustedRoot: root.json}}\nsigners: {a: {key: a.pub}}\nrules: [{images: "${registry}/**", signatures: ${dated}}]\n`,
  );
  assert.equal(await policy.refresh(), "reloaded");
  const name = `${registry}/good@${digest}`;
  const decided = async () => {
    const before = requests.length;
    const { response, answers } = await ofPod(name);
    return [response.allowed, answers[0]?.source, requests.length - before > 0];
  };
  wait(55 * MINUTE);
  assert.deepEqual(await decided(), [true, "verified", true]);
  assert.deepEqual(await decided(), [true, "kept, judged anew", false]);
  wait(6 * MINUTE);
  assert.deepEqual(await decided(), [false, "verified", true]);
});

test("admission: a bad policy, or one with a missing key -> the earlier one stays, and is reported once", async (t) => {
  const { push, sign, ofPod, image, write, policyOf, policy } = await world(t);
  await push("good");
  await sign(image("good"));
  const { id } = policy.current;
  for (const bad of ["version: 2\n", policyOf("**").replace("a.pub", "missing.pub"), ""]) {
    write(bad);
    await assert.rejects(policy.refresh(), { code: "input" }, bad);
    assert.equal(await policy.refresh(), "unchanged");
    assert.equal(policy.current.id, id);
    assert.equal((await ofPod(image("good"))).response.allowed, true);
  }
  write(policyOf("other/**"));
  assert.equal(await policy.refresh(), "reloaded");
  assert.equal((await ofPod(image("good"))).response.allowed, false);
});

test("admission: a registry that does not answer in time -> 503 before the deadline, with the image", async (t) => {
  const { push, sign, ofPod, image, faults, write, policyOf, wait, policy } = await world(t, "", { timeout: 100 });
  await push("good");
  await sign(image("good"));
  faults.add({ service: "registry", kind: "slow", value: "700" });
  const { response } = await ofPod(image("good"));
  assert.deepEqual([response.allowed, response.status?.code], [false, 503]);
  assert.match(response.status?.message ?? "", /good:1" could not be checked: not verified within 0.1 s; try again/);
  write(policyOf("**").replace("name: all,", "name: all, effect: warn,"));
  wait(1000);
  assert.equal(await policy.refresh(), "reloaded");
  const warned = (await ofPod(image("good"))).response;
  assert.equal(warned.allowed, true, "a rule that refuses nothing does not refuse because of time either");
  assert.match(warned.warnings?.[0] ?? "", /good:1" could not be checked/);
  write(
    `${policyOf("**").replace("name: all,", "name: all, effect: warn,")}denied: {digests: [{digest: "sha256:${"0".repeat(64)}"}]}\n`,
  );
  wait(1000);
  assert.equal(await policy.refresh(), "reloaded");
  assert.equal((await ofPod(image("good"))).response.allowed, false, "it may be the denied one");
});

test("admission: images with large signatures -> fetched for one image at a time, so that they do not fill the memory", async (t) => {
  const { push, image, io, policy, ofPod } = await world(t);
  const names = ["one", "two", "three"];
  const content = Buffer.alloc(9 * 1024 * 1024);
  for (const name of names) {
    const store = await openRegistry(io, parseReference(image(name)), PLAIN_REGISTRY);
    const tag = attachmentTag(await push(name), "sig");
    const layer = { ...(await store.putBlob(content)), mediaType: "application/vnd.dev.cosign.simplesigning.v1+json" };
    const config = {
      ...(await store.putBlob(Buffer.from("{}"))),
      mediaType: "application/vnd.oci.image.config.v1+json",
    };
    const manifest = { schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] };
    await store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType: MANIFEST, tag });
  }
  let [fetched, most, now] = [0, 0, 0];
  const counting: Io = Object.create(io, {
    http: {
      value: async (request: HttpRequest) => {
        if (!request.url.pathname.includes("/blobs/")) return io.http(request);
        fetched++;
        most = Math.max(most, ++now);
        await io.sleep(30);
        return io.http(request).finally(() => now--);
      },
    },
  });
  const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(counting, { current: () => policy.current, options });
  const outcomes = await Promise.all(names.map((name) => decider.decide(image(name), MONDAY + MINUTE)));
  assert.ok(outcomes.every((each) => each.kind === "decided" && !each.decision.allowed));
  assert.deepEqual([fetched, most], [3, 1]);
  assert.equal((await ofPod(image("one"))).response.status?.code, 403);
});

test("admission: a refusal that quotes a large text of a signature -> not kept, so that it does not fill the memory", async (t) => {
  const { push, image, io, ofPod, requests } = await world(t);
  const store = await openRegistry(io, parseReference(image("app")), PLAIN_REGISTRY);
  const subject = await descriptorOf(store, await push("app"));
  const type = "application/vnd.dev.sigstore.bundle.v0.3+json";
  const bundle = (predicateType: string) => {
    const subjects = [{ name: "a", digest: { sha256: "0".repeat(64) } }];
    const statement = { _type: "https://in-toto.io/Statement/v1", subject: subjects, predicateType, predicate: {} };
    const payload = Buffer.from(JSON.stringify(statement)).toString("base64");
    const payloadType = "application/vnd.in-toto+json";
    return JSON.stringify({
      mediaType: type,
      verificationMaterial: { publicKey: { hint: "" } },
      dsseEnvelope: { payloadType, payload, signatures: [{ keyid: "", sig: "AA==" }] },
    });
  };
  const annotations = { "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1" };
  const costs = async (predicateType: string) => {
    const more = { artifactType: type, annotations };
    const { digest } = await attachReferrer(store, subject, { layer: bundle(predicateType), layerType: type, more });
    const name = `${image("app")}@${subject.digest}`;
    const { response } = await ofPod(name);
    assert.match(response.status?.message ?? "", /annotated predicate type mismatch: .*, want x/);
    const before = requests.length;
    assert.equal((await ofPod(name)).response.allowed, false);
    const cost = requests.length - before;
    await store.delete(digest);
    return cost;
  };
  assert.ok((await costs("x".repeat(1_000_000))) > 0);
  assert.equal(await costs("x"), 0);
});

test("admission: a registry that never answers -> the requests for the image end with its time limit", async (t) => {
  const { io, policy, image, push } = await world(t);
  await push("app");
  let [asked, ended] = [0, 0];
  const hanging: Io = Object.create(io, {
    sleep: { value: testIo().sleep },
    http: {
      value: ({ signal }: HttpRequest) => {
        asked++;
        return new Promise((_, fail) => {
          signal.addEventListener("abort", () => {
            ended++;
            fail(signal.reason);
          });
        });
      },
    },
  });
  const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(hanging, { current: () => policy.current, options, limit: 50 });
  const outcome = await decider.decide(image("app"), MONDAY + MINUTE);
  assert.equal(outcome.kind, "failed");
  assert.match(outcome.kind === "failed" ? String(outcome.error) : "", /not finished within 0\.05 s/);
  assert.ok(asked > 0);
  assert.equal(ended, asked, "nothing goes on in the background");
});

test("admission: TUF is gone -> what was trusted stays while it is valid; then what needs it is refused, and nothing else", async (t) => {
  const { io, cwd, sigstore, faults, tsign, push, sign, image, wait, registry } = await world(t);
  for (const name of ["keyed", "keyless"]) await push(name);
  await sign(image("keyed"));
  writeFileSync(join(cwd, "root.json"), sigstore.files["tuf_root.json"]);
  await tsign("initialize", "--mirror", sigstore.at.tuf, "--root=root.json");
  const identity = `{identity: dev@example.com, issuer: "${sigstore.at.issuer}"}`;
  const content = Buffer.from(
    `version: 1\nsigners: {a: {key: a.pub}, dev: ${identity}}\nrules:\n` +
      `  - {name: keyless, images: "${registry}/keyless", signatures: {signers: dev}}\n` +
      `  - {name: keyed, images: "${registry}/**", signatures: {signers: a, log: insecure-skip}}\n`,
  );
  const read = async () => ({ content, path: join(cwd, "policy.yaml") });
  const policy = await LivePolicy.open(io, { read, registry: PLAIN_REGISTRY, warn: () => {} });
  const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(io, { current: () => policy.current, options });
  const decided = async (name: string) => {
    const outcome = await decider.decide(image(name), Number.MAX_SAFE_INTEGER);
    return outcome.kind === "failed" ? outcome.error : outcome.decision.ok;
  };
  assert.deepEqual([await decided("keyless"), await decided("keyed")], [false, true]);
  faults.add({ service: "tuf", kind: "status", value: "500" });
  wait(11 * MINUTE);
  assert.equal(await policy.refresh(), "refreshed", "from the cache");
  assert.deepEqual([await decided("keyless"), await decided("keyed")], [false, true]);
  wait(30 * 365 * 24 * 60 * MINUTE);
  await assert.rejects(policy.refresh(), { code: "untrusted" });
  assert.match(String(await decided("keyless")), /expired at/);
  assert.equal(await decided("keyed"), true);
});

test("gatekeeper: each key is answered as it was sent: the image by its digest, or an error", async (t) => {
  const { push, sign, image, io, decider, registry } = await world(t);
  const digest = await push("good");
  await push("bad");
  await sign(image("good"));
  const pinned = `${registry}/good@${digest}`;
  const keys = [image("good"), image("bad"), pinned, `${image("good")}@${digest}`, " x ", image("good")];
  const { response } = await provide(io, keys, { decider, within: 8000 });
  assert.equal(response.apiVersion, "externaldata.gatekeeper.sh/v1beta1");
  assert.deepEqual([response.response.idempotent, response.response.systemError], [true, ""]);
  const [first, second, third, fourth, fifth, ...more] = response.response.items;
  assert.deepEqual(first, { key: image("good"), value: pinned });
  assert.deepEqual([second?.key, second && "value" in second], [image("bad"), false]);
  assert.deepEqual(third, { key: pinned, value: pinned });
  assert.deepEqual(fourth, { key: `${image("good")}@${digest}`, value: pinned });
  assert.deepEqual([fifth?.key, fifth && "value" in fifth], [" x ", false]);
  assert.deepEqual(more, []);
  const request = (body: object) =>
    Buffer.from(JSON.stringify({ apiVersion: "externaldata.gatekeeper.sh/v1beta1", kind: "ProviderRequest", ...body }));
  assert.deepEqual(readKeys(request({ request: { keys } })), keys);
  for (const body of [
    {},
    { request: {} },
    { request: { keys: [7] } },
    { request: { keys: [""] } },
    { kind: "X", request: { keys } },
  ]) {
    assert.throws(() => readKeys(request(body)), { code: "input" }, JSON.stringify(body));
  }
  assert.throws(() => readKeys(request({ request: { keys: Array.from({ length: 501 }, String) } })), { code: "input" });
});

test("admission service: paths, methods, states and metrics; what cannot be read -> 400", async (t) => {
  const { push, sign, image, io, decider, policy } = await world(t);
  await push("good");
  await sign(image("good"));
  const logged: object[] = [];
  const mask = (text: string) => text.replaceAll("denied-4711", "***");
  const options = { policy, decider, mask, providerTimeout: 900, log: (entry: object) => logged.push(entry) };
  const service = new AdmissionService(io, { ...options, needsClient: false });
  const send = async (
    method: string,
    url: string,
    body: unknown = "",
    { to = service, clientIsTrusted = false } = {},
  ) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const pieces = (async function* () {
      yield Buffer.from(text);
    })();
    const { status, body: answer = "" } = await to.handle({ method, url, headers: {}, body: pieces, clientIsTrusted });
    return { status, text: String(answer) };
  };
  const good = reviewOf(pod([image("good")]));
  const answered = await send("POST", "/validate?timeout=10s", good);
  assert.equal(answered.status, 200);
  const { response, ...envelope } = JSON.parse(answered.text);
  assert.deepEqual(envelope, { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" });
  assert.equal(response.allowed, true);
  assert.match(JSON.parse((await send("POST", "/mutate?timeout=3s", good)).text).response.patchType, /JSONPatch/);
  const key = { apiVersion: "externaldata.gatekeeper.sh/v1beta1", kind: "ProviderRequest", request: { keys: ["x y"] } };
  assert.match(JSON.parse((await send("POST", "/gatekeeper", key)).text).response.items[0].error, /could not parse/);
  assert.match(JSON.parse((await send("POST", "/gatekeeper", {})).text).response.systemError, /^read ProviderRequest/);
  const statuses: [string, string, number][] = [
    ["POST", "/validate", 400],
    ["POST", "/mutate", 400],
    ["POST", "/gatekeeper", 400],
    ["GET", "/validate", 405],
    ["POST", "/healthz", 405],
    ["GET", "/", 404],
    ["GET", "//", 404],
    ["GET", "/validate/../x", 404],
    ["GET", "/healthz", 200],
    ["HEAD", "/readyz", 200],
  ];
  for (const [method, url, status] of statuses)
    assert.equal((await send(method, url)).status, status, `${method} ${url}`);
  assert.equal((await send("POST", "/validate", " ".repeat(9e6))).status, 413);
  // An answer that is not a review would let the object in with failurePolicy Ignore.
  const odd = (more: object) => reviewOf({ ...pod([image("good")]), ...more });
  const escaped = `"args":["${"\\u003c".repeat(1_400_000)}"]`; // as the API server writes 1.4 MB of <
  for (const [body, reason] of [
    [odd({ args: ",".repeat(600_000) }), /more than 500000 values/],
    [JSON.stringify(odd({ args: 1 })).replace('"args":1', '"attributes":{"__proto__":"x"}'), /__proto__/],
    [JSON.stringify(odd({ args: 1 })).replace('"args":1', '"a":1,"a":2'), /duplicate key/],
    [JSON.stringify(odd({ args: 1 })).replace('"args":1', escaped), /larger than 8388608 bytes/],
  ] as const) {
    for (const path of ["/validate", "/mutate"]) {
      const { status, text } = await send("POST", path, body);
      assert.equal(status, 200, String(reason));
      const { uid, allowed, status: why } = JSON.parse(text).response;
      assert.deepEqual([uid, allowed, why.code], [good.request.uid, false, 400], text);
      assert.match(why.message, reason);
    }
  }
  logged.length -= 8;
  const metrics = (await send("GET", "/metrics")).text;
  assert.match(metrics, /tsign_admission_decisions_total\{rule="all",reason="accepted",allowed="true"\} 2\n/);
  assert.match(metrics, /tsign_admission_request_seconds_count\{path="\/validate"\}/);
  const refused = await send("POST", "/validate", reviewOf(pod([image("good")]), { object: null }));
  assert.equal(JSON.parse(refused.text).response.allowed, false);
  assert.equal(logged.length, 4);
  service.drain();
  assert.equal((await send("GET", "/readyz")).status, 503);
  assert.equal(JSON.parse((await send("POST", "/validate", good)).text).response.allowed, true, "while it shuts down");
  const guarded = { to: new AdmissionService(io, { ...options, needsClient: true }) };
  for (const path of ["/validate", "/mutate", "/gatekeeper"])
    assert.equal((await send("POST", path, good, guarded)).status, 401);
  assert.equal((await send("GET", "/metrics", "", guarded)).status, 401);
  assert.equal((await send("GET", "/healthz", "", guarded)).status, 200);
  assert.equal((await send("POST", "/validate", good, { ...guarded, clientIsTrusted: true })).status, 200);
});
