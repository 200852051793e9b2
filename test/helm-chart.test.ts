import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { manifests } from "../src/admission/manifests.ts";
import { readWorkloads } from "../src/admission/workload-paths.ts";
import definition from "../src/commands/admission/manifests.ts";

/** What can be compared without Helm. The suite `helm` renders the chart, and compares the objects. */
const CHART = resolve(import.meta.dirname, "../deploy/helm/tsign-admission");
const read = (name: string) => readFileSync(join(CHART, name), "utf8");
const TEMPLATES = readdirSync(join(CHART, "templates"))
  .map((name) => read(`templates/${name}`))
  .join("\n");

/** All keys and texts in a value. */
function wordsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(wordsOf);
  return Object.entries(value).flatMap(([key, each]) => [key, ...wordsOf(each)]);
}

test("Helm chart: its version is that of tsign", () => {
  const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../package.json"), "utf8"));
  const chart = parse(read("Chart.yaml"));
  assert.deepEqual([chart.version, chart.appVersion], [version, version]);
});

test("Helm chart: its values have the defaults of `admission manifests`, and a schema", () => {
  const { namespaces, pullSecrets, clusterPolicies, replicas, failurePolicy, webhookTimeout } = definition.flags;
  const values = parse(read("values.yaml"));
  const same = { namespaces, pullSecrets, clusterPolicies, replicas, failurePolicy };
  for (const [name, flag] of Object.entries(same)) assert.equal(values[name], flag.default, name);
  assert.equal(values.webhookTimeout * 1000, webhookTimeout.default);
  const { global: _, ...schema } = JSON.parse(read("values.schema.json")).properties;
  assert.deepEqual(Object.keys(schema), Object.keys(values));
  assert.deepEqual(Object.keys(schema.tls.properties), Object.keys(values.tls));
});

test("Helm chart: its templates contain every field and text of the manifests", () => {
  for (const tls of [
    { kind: "self-made" },
    { kind: "cert-manager" },
    { kind: "secret", name: "IN", ca: "" },
  ] as const) {
    for (const namespaces of ["included", "not-excluded"] as const) {
      const objects = manifests({
        ...{ image: "IN", namespace: "IN", replicas: tls.kind === "secret" ? 1 : 2, policy: "tsign.policy.yaml" },
        ...{ files: new Map([["tsign.policy.yaml", "IN"]]), tls, namespaces, pullSecrets: true },
        env: new Map([["IN", "IN"]]),
        ...{ workloads: readWorkloads(["rollouts.argoproj.io=/spec/template"]) },
        ...{
          gatekeeperProvider: tls.kind === "self-made" ? "IN" : "",
          clusterPolicies: true,
          failurePolicy: "Fail",
          timeoutSeconds: 10,
        },
      });
      const words = objects.flatMap(wordsOf).filter((word) => !/\bIN\b/.test(word));
      assert.ok(words.length > 200);
      const computed = new Set([
        "rollouts",
        "argoproj.io",
        "--workload=rollouts.argoproj.io=/spec/template",
        "Fail",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "",
        ...["TsignPolicy", "ClusterTsignPolicy"].map((kind) => `${kind}List`),
        ...["tsignpolicies", "clustertsignpolicies"].map((plural) => `${plural}.tsign.dev`),
        ...["tsignpolicy", "clustertsignpolicy"],
      ]);
      const missing = words.filter((word) => !computed.has(word) && !TEMPLATES.includes(word));
      assert.deepEqual(
        missing.filter((word) => !/^(?:mutate|validate)\.tsign\.dev$/.test(word)),
        [],
      );
    }
  }
});
