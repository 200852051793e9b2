import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemIo } from "../../src/io/system.ts";
import { tlsAuthority } from "../support/tls-authorities.ts";
import { auditCases } from "./admission-audit.ts";
import { documentedCase, hasKubectl } from "./admission-docs.ts";
import {
  type ApiAnswer,
  type Cluster,
  openShop,
  type Served,
  type Shop,
  serve,
  startCluster,
} from "./admission-kit.ts";
import { loadCases } from "./admission-load.ts";
import { resourceCases } from "./admission-resources.ts";
import { trustCases } from "./admission-trust.ts";
import { folder, run, TSIGN } from "./support.ts";

/** Seconds that the API server waits for an answer. */
const TIMEOUT = 4;
const real = systemIo();

const pod = (name: string, image: string, spec = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "c", image }], ...spec },
});

const RULES = [
  { apiGroups: [""], resources: ["pods", "pods/ephemeralcontainers"] },
  { apiGroups: ["apps"], resources: ["deployments"] },
  { apiGroups: ["batch"], resources: ["cronjobs", "jobs"] },
].map((rule) => ({ ...rule, apiVersions: ["*"], operations: ["CREATE", "UPDATE"] }));

/** A configuration of one webhook, for namespaces with the label `tsign=LABEL`. */
function configuration(kind: "Validating" | "Mutating", url: string, { ca, label }: { ca: string; label: string }) {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: `tsign-${label}` },
    webhooks: [
      {
        name: `${label}.tsign.dev`,
        clientConfig: { url, caBundle: Buffer.from(ca).toString("base64") },
        rules: RULES,
        ...{ failurePolicy: "Fail", sideEffects: "None", timeoutSeconds: TIMEOUT, admissionReviewVersions: ["v1"] },
        namespaceSelector: { matchLabels: { tsign: label } },
      },
    ],
  };
}

/** Where the objects of the manifests are created. */
const PLACES: Readonly<Record<string, string>> = {
  Namespace: "/api/v1/namespaces",
  ConfigMap: "/api/v1/namespaces/tsign-system/configmaps",
  Deployment: "/apis/apps/v1/namespaces/tsign-system/deployments",
  ClusterRole: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  ClusterRoleBinding: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  NetworkPolicy: "/apis/networking.k8s.io/v1/namespaces/tsign-system/networkpolicies",
  ServiceAccount: "/api/v1/namespaces/tsign-system/serviceaccounts",
  PodDisruptionBudget: "/apis/policy/v1/namespaces/tsign-system/poddisruptionbudgets",
  Service: "/api/v1/namespaces/tsign-system/services",
  MutatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
  ValidatingWebhookConfiguration: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
};

interface World {
  readonly cwd: string;
  readonly authority: ReturnType<typeof tlsAuthority>;
  readonly shop: Shop;
  readonly served: Served;
  readonly cluster: Cluster;
  /** Images with a good signature, none, and another signer's. */
  readonly image: (name: string) => string;
  readonly digests: Readonly<Record<string, string>>;
  readonly write: (rules: string) => void;
  readonly rules: string;
  readonly create: (path: string, object: unknown, query?: string) => Promise<ApiAnswer>;
  readonly pods: (name: string, image: string, spec?: object, query?: string) => Promise<ApiAnswer>;
}

const NAMESPACE = "/api/v1/namespaces/enforced";

/** A cluster, a registry, and a running service with both webhooks. */
async function world(t: TestContext): Promise<World> {
  const cwd = folder(t);
  const [cluster, shop] = await Promise.all([startCluster(t, cwd), openShop(t, cwd)]);
  const image = (name: string) => `${shop.registry}/${name}:1`;
  const digests: Record<string, string> = {};
  for (const name of ["good", "unsigned", "other", "moved", "warned", "late"]) digests[name] = await shop.push(name);
  for (const name of ["good", "moved", "late"]) await shop.sign(image(name), "a");
  await shop.sign(image("other"), "b");
  const write = (text: string) =>
    writeFileSync(join(cwd, "policy.yaml"), `version: 1\nsigners: {a: {key: a.pub}}\nrules:\n${text}`);
  const signed = "signatures: {signers: a, log: insecure-skip}";
  const rules = `  - {name: warned, images: "${shop.registry}/warned", effect: warn, ${signed}}\n  - {name: all, images: "${shop.registry}/**", ${signed}}\n`;
  write(rules);
  const authority = tlsAuthority("webhooks");
  const served = await serve(t, cwd, authority.issue(["127.0.0.1"]));
  const create = (path: string, object: unknown, query = "") => cluster.call("POST", `${path}${query}`, object);
  const configure = async (kind: "Validating" | "Mutating", path: string, label: string) => {
    const object = configuration(kind, `${served.url}${path}`, { ca: authority.cert, label });
    const place = `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}webhookconfigurations`;
    assert.equal((await create(place, object)).status, 201);
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: label, labels: { tsign: label } } };
    assert.equal((await create("/api/v1/namespaces", namespace)).status, 201);
  };
  await configure("Validating", "/validate", "enforced");
  await configure("Mutating", "/mutate", "pinned");
  const pods = (name: string, of: string, spec = {}, query = "") =>
    create(`${NAMESPACE}/pods`, pod(name, of, spec), query);
  // A new configuration takes effect after a moment.
  for (const label of ["enforced", "pinned"]) {
    for (let tries = 0; tries < 100; tries++) {
      const object = pod("wait", image("unsigned"));
      if ((await create(`/api/v1/namespaces/${label}/pods`, object, "?dryRun=All")).status === 403) break;
      await real.sleep(100);
    }
  }
  return { cwd, authority, shop, served, cluster, image, digests, write, rules, create, pods };
}

test("admission: a real API server asks, and what is not signed does not get in", async (t) => {
  const { cwd, authority, shop, served, cluster, image, digests, write, rules, create, pods } = await world(t);
  const refused = (answer: ApiAnswer, pattern: RegExp, what: string, code = 403) => {
    assert.equal(answer.status, code, `${what}: ${JSON.stringify(answer.body).slice(0, 600)}`);
    assert.match(answer.body.message ?? "", pattern, what);
  };
  const admitted = (answer: ApiAnswer, what: string, code = 201) =>
    assert.equal(answer.status, code, `${what}: ${answer.body.message}`);

  await t.test(
    "pods: signed -> created; unsigned, other signer, without a rule -> 403 with image, rule and advice",
    async () => {
      admitted(await pods("good", image("good")), "good");
      const unsigned = await pods("bad", image("unsigned"));
      refused(
        unsigned,
        /webhook "enforced\.tsign\.dev" denied the request: image ".*unsigned:1" is refused by rule "all"/,
        "x",
      );
      assert.match(unsigned.body.message ?? "", /sign the image/);
      refused(await pods("bad", image("other")), /nearest: a: /, "other signer");
      refused(await pods("bad", "r.example/app:1"), /no rule matches/, "no rule");
      refused(await pods("bad", `${shop.registry}/missing:1`), /missing:1/, "no such image");
    },
  );

  await t.test(
    "the legacy format, alone and with a bundle: by the signer -> created; by another one -> 403",
    async () => {
      const signed = [
        ["legacy-good", "a", "legacy"],
        ["both-good", "a", "both"],
        ["legacy-other", "b", "legacy"],
      ] as const;
      const sign = async ([name, key, form]: (typeof signed)[number]) => {
        await shop.push(name);
        await shop.sign(image(name), key, form);
      };
      await Promise.all(signed.map(sign));
      for (const name of ["legacy-good", "both-good"]) admitted(await pods(name, image(name)), name);
      const other = await pods("bad", image("legacy-other"));
      refused(other, /is refused by rule "all"[\s\S]*nearest: a: /, "legacy, other signer");
    },
  );

  await t.test("every place of an image in a Pod, and workloads -> the unsigned image there is refused", async () => {
    const bad = image("unsigned");
    const places: [string, object][] = [
      [
        "second container",
        {
          containers: [
            { name: "c", image: image("good") },
            { name: "d", image: bad },
          ],
        },
      ],
      ["init container", { initContainers: [{ name: "i", image: bad }] }],
      ["image volume", { volumes: [{ name: "v", image: { reference: bad } }] }],
    ];
    for (const [what, spec] of places) refused(await pods("bad", image("good"), spec), /unsigned:1" is refused/, what);
    const template = (of: string) => ({
      metadata: { labels: { app: "x" } },
      spec: { ...pod("x", of).spec, restartPolicy: "Always" },
    });
    const deployment = (of: string) => ({
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" } },
      spec: { selector: { matchLabels: { app: "x" } }, template: template(of) },
    });
    const cron = (of: string) => ({
      ...{ apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "j" } },
      spec: {
        schedule: "0 0 * * *",
        jobTemplate: { spec: { template: { spec: { ...pod("x", of).spec, restartPolicy: "Never" } } } },
      },
    });
    for (const [path, make] of [
      ["/apis/apps/v1/namespaces/enforced/deployments", deployment],
      ["/apis/batch/v1/namespaces/enforced/cronjobs", cron],
    ] as const) {
      refused(await create(path, make(bad)), /unsigned:1" is refused/, path);
      admitted(await create(path, make(image("good"))), path);
    }
    const scaled = await cluster.call(
      "PATCH",
      "/apis/apps/v1/namespaces/enforced/deployments/d",
      { spec: { replicas: 5 } },
      "application/merge-patch+json",
    );
    admitted(scaled, "scaled", 200);
  });

  await t.test("ephemeral containers: unsigned -> 403, signed -> added", async () => {
    const add = (name: string) =>
      cluster.call(
        "PATCH",
        `${NAMESPACE}/pods/good/ephemeralcontainers`,
        { spec: { ephemeralContainers: [{ name, image: image(name) }] } },
        "application/strategic-merge-patch+json",
      );
    refused(await add("unsigned"), /unsigned:1" is refused/, "ephemeral");
    admitted(await add("late"), "ephemeral", 200);
  });

  await t.test("a tag that moved -> the new image is refused, the old one is accepted by its digest", async () => {
    admitted(await pods("before", image("moved")), "before");
    await shop.push("moved", "other content");
    refused(await pods("after", image("moved")), /moved:1" is refused/, "moved");
    admitted(await pods("after", `${shop.registry}/moved:1@${digests["moved"]}`), "by digest");
  });

  await t.test(
    "dry run -> the same decision, and nothing is stored; effect warn -> created with a warning",
    async () => {
      admitted(await pods("dry", image("good"), {}, "?dryRun=All"), "dry");
      refused(await pods("dry", image("unsigned"), {}, "?dryRun=All"), /unsigned:1/, "dry");
      assert.equal((await cluster.call("GET", `${NAMESPACE}/pods/dry`)).status, 404);
      const warned = await pods("warned", image("warned"));
      admitted(warned, "warned");
      assert.match(warned.warnings, /warned:1\\?" does not satisfy rule/);
      const labelled = { metadata: { labels: { x: "y" } } };
      const change = await cluster.call("PATCH", `${NAMESPACE}/pods/warned`, labelled, "application/merge-patch+json");
      admitted(change, "label", 200);
    },
  );

  await t.test("registry down or slow -> 503 in time, told apart from a refusal; up again -> created", async () => {
    const digest = await shop.push("fresh");
    await shop.sign(image("fresh"), "a");
    shop.fault = "down";
    const down = await pods("fresh", image("fresh"));
    refused(down, /fresh:1" could not be checked/, "down", 503);
    assert.equal(down.body.reason, "ServiceUnavailable");
    // What was verified is known, and needs no registry if the image is named by its digest.
    admitted(await pods("known", `${shop.registry}/good@${digests["good"]}`), "known by its digest");
    shop.fault = (TIMEOUT + 4) * 1000;
    const started = Date.now();
    refused(await pods("fresh", image("fresh")), /fresh:1" could not be checked: not verified within/, "slow", 503);
    assert.ok(Date.now() - started < (TIMEOUT + 1) * 1000, "before the deadline of the API server");
    shop.fault = "none";
    admitted(await pods("fresh", `${shop.registry}/fresh:1@${digest}`), "up again");
  });

  await t.test("the policy is read again: a new one decides, one that cannot be used changes nothing", async () => {
    write(`  - {name: closed, images: "${shop.registry}/**", refuse: closed for today}\n`);
    await served.logged(/policy reloaded/);
    refused(await pods("closed", image("good")), /closed for today/, "new policy");
    write("  - {name: broken\n");
    await served.logged(/the policy stays as it was/);
    refused(await pods("closed", image("good")), /closed for today/, "old policy");
    write(rules);
    await served.logged(/policy reloaded[\s\S]*policy reloaded/);
    admitted(await pods("open", image("good")), "first policy");
  });

  await t.test("a renewed certificate is used without a restart", async () => {
    const renewed = tlsAuthority("renewed");
    const caBundle = Buffer.from(authority.cert + renewed.cert).toString("base64");
    for (const [kind, label] of [
      ["validating", "enforced"],
      ["mutating", "pinned"],
    ]) {
      const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/tsign-${label}`;
      const patch = [{ op: "replace", path: "/webhooks/0/clientConfig/caBundle", value: caBundle }];
      admitted(await cluster.call("PATCH", path, patch, "application/json-patch+json"), path, 200);
    }
    const { cert, key } = renewed.issue(["127.0.0.1"]);
    writeFileSync(join(cwd, "tls.crt"), cert);
    writeFileSync(join(cwd, "tls.key"), key);
    await served.logged(/certificate reloaded/);
    const ask = (ca: string) =>
      real.http({
        url: new URL(`${served.url}/healthz`),
        method: "GET",
        headers: {},
        tls: { ca },
        signal: AbortSignal.timeout(5000),
      });
    assert.equal((await ask(renewed.cert)).status, 200);
    await assert.rejects(ask(authority.cert), { code: "network" });
    admitted(await pods("renewed", image("good")), "after the renewal");
    refused(await pods("bad", image("unsigned")), /unsigned:1" is refused/, "after the renewal");
  });

  await t.test("mutation: tags become digests in Pods and templates, once; an unsigned image is refused", async () => {
    const path = "/api/v1/namespaces/pinned/pods";
    const pinned = `${image("good")}@${digests["good"]}`;
    const imageOf = ({ body }: ApiAnswer) => (body as ReturnType<typeof pod>).spec.containers[0]?.image;
    const made = await create(path, pod("one", image("good")));
    admitted(made, "pinned");
    assert.equal(imageOf(made), pinned);
    assert.equal(imageOf(await create(path, pod("two", pinned))), pinned);
    refused(await create(path, pod("three", image("unsigned"))), /unsigned:1" is refused/, "pinned");
    for (const name of ["other", "missing"]) {
      refused(await create(path, pod("three", image(name))), new RegExp(`${name}:1`), name);
    }
    const dry = await create(path, pod("dry", image("good")), "?dryRun=All");
    assert.equal(imageOf(dry), pinned);
    assert.equal((await cluster.call("GET", `${path}/dry`)).status, 404);
  });

  await t.test(
    "mutation: registry down -> 503 for a dry run; what is pinned is known; up again -> created",
    async () => {
      const path = "/api/v1/namespaces/pinned/pods";
      await shop.push("unseen");
      await shop.sign(image("unseen"), "a");
      shop.fault = "down";
      try {
        const answer = await create(path, pod("unseen", image("unseen")), "?dryRun=All");
        refused(answer, /unseen:1" could not be checked/, "down", 503);
        admitted(await create(path, pod("kept", `${image("good")}@${digests["good"]}`), "?dryRun=All"), "kept");
      } finally {
        shop.fault = "none";
      }
      admitted(await create(path, pod("unseen", image("unseen"))), "up again");
    },
  );

  const audits = await auditCases({ cwd, cluster, shop });
  const [resources, trust] = await Promise.all([
    resourceCases(t, { cwd, cluster, shop, digests }),
    trustCases(t, { cwd, cluster, shop }),
  ]);
  const loads = await loadCases(t, { cwd, cluster, shop, authority, rules, write });
  for (const [name, run] of [...audits, ...resources, ...trust, ...loads]) await t.test(name, run);

  await t.test("the manifests are applied as they are printed, and ask about labelled namespaces only", async () => {
    writeFileSync(join(cwd, "ca.crt"), authority.cert);
    const flags = [
      "--trust-policy=policy.yaml",
      "--tls-secret=tsign-tls",
      "--ca-bundle=ca.crt",
      "--webhook-timeout=1s",
      "--pull-secrets",
      "--cluster-policies=false",
    ];
    const own = `${shop.registry}/good@${digests["good"]}`;
    const printed = await run(TSIGN, ["admission", "manifests", ...flags, own], { cwd });
    assert.deepEqual([printed.code, printed.stderr], [0, ""]);
    const applied: string[] = [];
    for (const text of printed.stdout.split(/^---\n/m)) {
      const [, kind = ""] = /^kind: (\w+)$/m.exec(text) ?? [];
      const [, name = ""] = /^metadata:\n {2}name: ([\w-]+)/m.exec(text) ?? [];
      for (const query of ["dryRun=All&", ""]) {
        const path = `${PLACES[kind] ?? kind}/${name}?${query}fieldManager=docs&fieldValidation=Strict`;
        const answer = await cluster.call("PATCH", path, text, "application/apply-patch+yaml");
        assert.ok(answer.status === 201 || answer.status === 200, `${kind} ${name}: ${answer.body.message}`);
        assert.equal(answer.warnings, "", kind);
      }
      applied.push(kind);
    }
    assert.deepEqual(applied.sort(), Object.keys(PLACES).sort());
    for (const [verb, resource, expected] of [
      ["get", "secrets", true],
      ["get", "serviceaccounts", true],
      ["list", "secrets", false],
      ["watch", "secrets", false],
      ["update", "secrets", false],
      ["get", "pods", false],
    ] as const) {
      const { body } = await create("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        ...{ apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview" },
        spec: {
          user: "system:serviceaccount:tsign-system:tsign",
          resourceAttributes: { verb, resource, namespace: "enforced" },
        },
      });
      assert.equal((body["status"] as { allowed: boolean }).allowed, expected, `${verb} ${resource}`);
    }
    const namespace = (name: string, labels = {}) =>
      create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    admitted(await namespace("shop", { "policy.sigstore.dev/include": "true" }), "shop");
    admitted(await namespace("other"), "other");
    const inside = (name: string) => create(`/api/v1/namespaces/${name}/pods`, pod("p", image("unsigned")));
    // Nobody answers for the Service in this cluster, so what is asked about is refused.
    for (let tries = 0; tries < 50 && (await inside("shop")).status === 201; tries++) {
      await cluster.call("DELETE", "/api/v1/namespaces/shop/pods/p?gracePeriodSeconds=0");
    }
    refused(await inside("shop"), /failed calling webhook "mutate\.tsign\.dev"/, "shop", 500);
    admitted(await inside("other"), "without the label");
    // A cluster can repair the service while it does not run.
    const label = { metadata: { labels: { "policy.sigstore.dev/include": "true" } } };
    for (const name of ["tsign-system", "kube-system"]) {
      await cluster.call("PATCH", `/api/v1/namespaces/${name}`, label, "application/merge-patch+json");
    }
    admitted(await inside("kube-system"), "system namespace");
    const restricted = (await inside("tsign-system")).body.message ?? "";
    assert.match(
      restricted,
      /violates PodSecurity "restricted/,
      "the service's own namespace is asked about by nobody",
    );
  });

  const skip = !(await hasKubectl(cwd)) && "there is no kubectl";
  const [name, documented] = documentedCase({ cwd, cluster, shop });
  await t.test(name, { skip }, documented);

  await t.test("the service is gone -> nothing is created, nothing was logged that is secret", async () => {
    served.child.kill("SIGTERM");
    await new Promise((done) => served.child.once("exit", done));
    assert.equal(served.child.exitCode, 0, served.log());
    refused(await pods("gone", image("good")), /failed calling webhook "enforced\.tsign\.dev"/, "gone", 500);
    assert.equal((await cluster.call("GET", `${NAMESPACE}/pods/gone`)).status, 404);
    assert.doesNotMatch(served.log(), /PRIVATE KEY|internal error/);
  });
});
