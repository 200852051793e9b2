import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { tlsAuthority } from "../support/tls-authorities.ts";
import { type ApiAnswer, type Case, type Cluster, type Shop, serve } from "./admission-kit.ts";
import { must, TSIGN } from "./support.ts";

const GROUP = "shop.example";
const WORKLOADS = [`rollouts.${GROUP}=/spec/template`, `batches.${GROUP}=/spec/tasks/*/template`].map(
  (each) => `--workload=${each}`,
);
const CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1";

// biome-ignore lint/suspicious/noExplicitAny: Kubernetes' objects
type Any = any;

/** Custom resources with images on a real API server: the printed rules ask about them, and the service reads them. */
export async function resourceCases(
  t: TestContext,
  of: { cwd: string; cluster: Cluster; shop: Shop; digests: Readonly<Record<string, string>> },
): Promise<Case[]> {
  const { cluster, shop, digests } = of;
  const cwd = join(of.cwd, "resources");
  mkdirSync(cwd);
  copyFileSync(join(of.cwd, "a.pub"), join(cwd, "a.pub"));
  writeFileSync(
    join(cwd, "policy.yaml"),
    `version: 1\nsigners: {a: {key: a.pub}}\nrules: [{name: all, images: "${shop.registry}/**", signatures: {signers: a, log: insecure-skip}}]\n`,
  );
  const authority = tlsAuthority("resources");
  const served = await serve(t, cwd, authority.issue(["127.0.0.1"]), ...WORKLOADS);
  const image = (name: string) => `${shop.registry}/${name}:1`;
  const make = async (path: string, object: object) => {
    const made = await cluster.call("POST", path, object);
    assert.equal(made.status, 201, `${path}: ${made.body.message}`);
  };
  for (const [kind, plural] of [
    ["Rollout", "rollouts"],
    ["Batch", "batches"],
    ["Other", "others"],
  ] as const) {
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    await make("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      metadata: { name: `${plural}.${GROUP}` },
      spec: {
        ...{ group: GROUP, scope: "Namespaced", names: { kind, plural, singular: kind.toLowerCase() } },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });
  }
  // The printed webhook for objects, and one of our own that replaces tags in custom resources.
  const printed = await must(
    TSIGN,
    ["admission", "manifests", "--trust-policy=policy.yaml", ...WORKLOADS, `r.example/tsign@sha256:${"a".repeat(64)}`],
    { cwd },
  );
  const documents: Any[] = parseAllDocuments(printed.stdout).map((each) => each.toJS());
  const { webhooks } = documents.find(({ kind }) => kind === "ValidatingWebhookConfiguration");
  const [webhook] = webhooks.filter(({ name }: Any) => name === "validate.tsign.dev");
  const asked = (path: string, label: string) => ({
    ...{
      ...webhook,
      matchConditions: [],
      name: `${label}.tsign.dev`,
      namespaceSelector: { matchLabels: { tsign: label } },
    },
    clientConfig: { url: `${served.url}${path}`, caBundle: Buffer.from(authority.cert).toString("base64") },
  });
  for (const [kind, path, label] of [
    ["Validating", "/validate", "resources"],
    ["Mutating", "/mutate", "resources-pinned"],
  ] as const) {
    const place = `${CONFIGURATIONS}/${kind.toLowerCase()}webhookconfigurations`;
    await make(place, { metadata: { name: `tsign-${label}` }, webhooks: [asked(path, label)] });
    await make("/api/v1/namespaces", { metadata: { name: label, labels: { tsign: label } } });
  }
  const template = (of: string, more = {}) => ({ spec: { containers: [{ name: "c", image: of }], ...more } });
  let number = 0;
  const place = (kind: string, namespace: string) =>
    `/apis/${GROUP}/v1/namespaces/${namespace}/${kind === "Batch" ? "batches" : `${kind.toLowerCase()}s`}`;
  const create = (kind: string, spec: object, namespace = "resources") => {
    const metadata = { name: `r${++number}` };
    return cluster.call("POST", place(kind, namespace), { apiVersion: `${GROUP}/v1`, kind, metadata, spec });
  };
  const refused = (answer: ApiAnswer, pattern: RegExp, what: string, code = 403) => {
    assert.equal(answer.status, code, `${what}: ${JSON.stringify(answer.body).slice(0, 600)}`);
    assert.match(answer.body.message ?? "", pattern, what);
  };
  const admitted = (answer: ApiAnswer, what: string, code = 201) =>
    assert.equal(answer.status, code, `${what}: ${answer.body.message}`);
  const isReady = async (namespace: string) =>
    (await create("Rollout", { template: template(image("unsigned")) }, namespace)).status === 403;
  for (const namespace of ["resources", "resources-pinned"]) {
    for (let tries = 0; tries < 100 && !(await isReady(namespace)); tries++) await setTimeout(100);
  }

  return [
    [
      "custom resources: signed -> created; unsigned, other signer, in each item of a list -> 403; nothing there -> created",
      async () => {
        admitted(await create("Rollout", { template: template(image("good")) }), "good");
        for (const name of ["unsigned", "other"]) {
          const answer = await create("Rollout", { template: template(image(name)) });
          refused(answer, new RegExp(`image ".*${name}:1" is refused by rule "all"`), name);
        }
        const tasks = (...templates: object[]) => ({ tasks: templates.map((each) => ({ template: each })) });
        const good = template(image("good"));
        admitted(await create("Batch", tasks(good, good)), "all of a list");
        const bad = image("unsigned");
        for (const [what, of] of [
          ["container", template(bad)],
          ["init container", template(image("good"), { initContainers: [{ name: "i", image: bad }] })],
          ["image volume", template(image("good"), { volumes: [{ name: "v", image: { reference: bad } }] })],
        ] as const) {
          refused(await create("Batch", tasks(good, of)), /unsigned:1" is refused/, what);
        }
        admitted(await create("Rollout", { workloadRef: { name: "elsewhere" } }), "nothing there");
        admitted(await create("Batch", { tasks: [] }), "an empty list");
        for (const wrong of ["text", { spec: { containers: [{ name: "c", image: 7 }] } }, { spec: {} }]) {
          refused(await create("Rollout", { template: wrong }), /read .*Rollout/, JSON.stringify(wrong), 400);
        }
        // A resource that no flag names is not asked about.
        admitted(await create("Other", { template: template(bad) }), "other resource");
      },
    ],
    [
      "custom resources: a changed image is judged; a label and a deletion are admitted, in an outage too",
      async () => {
        admitted(await create("Rollout", { template: template(image("good")) }), "good");
        const own = `${place("Rollout", "resources")}/r${number}`;
        const change = (object: object) => cluster.call("PATCH", own, object, "application/merge-patch+json");
        refused(await change({ spec: { template: template(image("unsigned")) } }), /unsigned:1" is refused/, "changed");
        shop.fault = "down";
        try {
          admitted(await change({ metadata: { labels: { x: "y" } } }), "label", 200);
          const fresh = await change({ spec: { template: template(image("late")) } });
          refused(fresh, /late:1" could not be checked/, "outage", 503);
          admitted(await cluster.call("DELETE", own), "deleted", 200);
        } finally {
          shop.fault = "none";
        }
      },
    ],
    [
      "custom resources: a webhook for /mutate -> tags become digests in each item of a list",
      async () => {
        const tasks = (...names: string[]) => ({ tasks: names.map((name) => ({ template: template(image(name)) })) });
        const made = await create("Batch", tasks("good", "late"), "resources-pinned");
        admitted(made, "pinned");
        const images = (made.body as Any).spec.tasks.map((each: Any) => each.template.spec.containers[0].image);
        assert.deepEqual(
          images,
          ["good", "late"].map((name) => `${image(name)}@${digests[name]}`),
        );
        refused(
          await create("Batch", tasks("good", "unsigned"), "resources-pinned"),
          /unsigned:1" is refused/,
          "pinned",
        );
      },
    ],
  ];
}
