import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { TOOLS } from "../../scripts/tools.ts";
import { tlsAuthority } from "../support/tls-authorities.ts";
import { folderWithKeys, must, run, TSIGN } from "./support.ts";

const HELM = join(TOOLS, "helm/helm");
const CHART = resolve(import.meta.dirname, "../../deploy/helm/tsign-admission");
const IMAGE = `registry.example/tsign@sha256:${"a".repeat(64)}`;
const POLICY =
  'version: 1\nsigners: {a: {key: a.pub}}\nrules: [{images: "registry.example/**", signatures: {signers: a}}] # <&>\n';
const FILES = ["--set", `image=${IMAGE}`, "--set-file", "policy=p.yaml,files.a\\.pub=a.pub"];
const SECRET = ["--set", "tls.secret=own-tls", "--set-file", "tls.caBundle=ca.crt"];

/** Flags of the command, and the values that say the same. */
const SAME: Readonly<Record<string, { readonly flags: readonly string[]; readonly values: readonly string[] }>> = {
  "default values": { flags: [], values: [] },
  "no policies as objects": { flags: ["--cluster-policies=false"], values: ["--set", "clusterPolicies=false"] },
  "no policies as objects, a Secret": {
    flags: ["--cluster-policies=false", "--tls-secret=own-tls", "--ca-bundle=ca.crt"],
    values: ["--set", "clusterPolicies=false", ...SECRET],
  },
  "cert-manager": { flags: ["--cert-manager"], values: ["--set", "tls.certManager=true"] },
  "a Secret": { flags: ["--tls-secret=own-tls", "--ca-bundle=ca.crt"], values: SECRET },
  "pull secrets": { flags: ["--pull-secrets"], values: ["--set", "pullSecrets=true"] },
  "pull secrets and a Secret": {
    flags: ["--pull-secrets", "--tls-secret=own-tls", "--ca-bundle=ca.crt"],
    values: ["--set", "pullSecrets=true", ...SECRET],
  },
  "custom resources": {
    flags: [
      "--workload=jobs.batch.volcano.sh=/spec/tasks/*/template",
      ...["/spec/headGroupSpec/template", "/spec/workerGroupSpecs/*/template"].map(
        (path) => `--workload=rayclusters.ray.io=${path}`,
      ),
    ],
    values: [
      "--set-json",
      'workloads={"jobs.batch.volcano.sh":["/spec/tasks/*/template"],"rayclusters.ray.io":["/spec/headGroupSpec/template","/spec/workerGroupSpecs/*/template"]}',
    ],
  },
  "one replica, all namespaces, failing open": {
    flags: ["--replicas=1", "--namespaces=not-excluded", "--failure-policy=Ignore", "--webhook-timeout=3s"],
    values: ["--set", "replicas=1,namespaces=not-excluded,failurePolicy=Ignore,webhookTimeout=3"],
  },
  "Gatekeeper's Provider": {
    flags: ["--gatekeeper-provider=tsign.io"],
    values: ["--set-string", "gatekeeperProvider=tsign.io"],
  },
  variables: {
    flags: [
      '--env=OTEL_SERVICE_NAME=a "b": #c',
      "--env=OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318",
      ...["--env=A=1", "--env=a=", "--env=B_=true", "--env=n=null"],
    ],
    values: [
      "--set-json",
      `env=${JSON.stringify({ a: "", n: "null", OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318", OTEL_SERVICE_NAME: 'a "b": #c', A: "1", B_: "true" })}`,
    ],
  },
  "another namespace": { flags: ["--namespace=0123"], values: ["--namespace=0123"] },
};

async function workshop(t: TestContext) {
  assert.ok(existsSync(HELM), `${HELM} is missing: run test/suites/helm-tools.sh`);
  const cwd = await folderWithKeys(t, "a");
  writeFileSync(join(cwd, "p.yaml"), POLICY);
  writeFileSync(join(cwd, "ca.crt"), tlsAuthority("own").cert);
  const helm = (...args: readonly string[]) => run(HELM, args, { cwd });
  const render = (...values: readonly string[]) =>
    helm("template", "tsign", CHART, "--namespace=tsign-system", ...values);
  return { cwd, helm, render };
}

/** The objects by kind and name, because Helm has its own order. */
function byKind(objects: readonly { readonly kind: string; readonly metadata: { readonly name: string } }[]) {
  const entries = objects.map((each) => [`${each.kind} ${each.metadata.name}`, each] as const);
  assert.equal(new Set(entries.map(([key]) => key)).size, entries.length);
  return Object.fromEntries(entries);
}

/** Helm alone deletes what it has made: it must keep the definitions of kinds, with which all objects would go. */
function withoutKeep(
  object: { kind: string; metadata: { name: string; annotations?: Record<string, string> } } | null,
) {
  if (object?.kind !== "CustomResourceDefinition") return object;
  const { annotations, ...metadata } = object.metadata;
  assert.deepEqual(annotations, { "helm.sh/resource-policy": "keep" });
  return { ...object, metadata };
}

function objectsIn(text: string) {
  const documents = parseAllDocuments(text, { strict: true, uniqueKeys: true });
  assert.ok(Array.isArray(documents));
  for (const { errors } of documents) assert.deepEqual(errors, []);
  return documents.map((each) => withoutKeep(each.toJS())).filter((each) => each !== null);
}

test("Helm chart: renders the objects that `tsign admission manifests` prints", { timeout: 300_000 }, async (t) => {
  const { cwd, render } = await workshop(t);
  for (const [name, { flags, values }] of Object.entries(SAME)) {
    await t.test(name, async () => {
      const printed = await must(
        TSIGN,
        ["admission", "manifests", "--trust-policy=p.yaml", ...flags, IMAGE, "--json"],
        {
          cwd,
        },
      );
      const wanted = byKind(JSON.parse(printed.stdout).result.manifests);
      const whole = await render(...FILES, "--set", "createNamespace=true", ...values);
      assert.equal(whole.code, 0, whole.stderr);
      assert.deepEqual(byKind(objectsIn(whole.stdout)), wanted);
      const others = Object.fromEntries(Object.entries(wanted).filter(([, { kind }]) => kind !== "Namespace"));
      assert.equal(Object.keys(others).length, Object.keys(wanted).length - 1);
      const usual = await render(...FILES, ...values);
      assert.deepEqual(byKind(objectsIn(usual.stdout)), others);
    });
  }
});

test("Helm chart: lint finds nothing", { timeout: 120_000 }, async (t) => {
  const { helm } = await workshop(t);
  for (const values of [
    [],
    SECRET,
    ["--set", "tls.certManager=true"],
    ["--set", "pullSecrets=true,createNamespace=true"],
  ]) {
    const { code, stdout, stderr } = await helm("lint", "--strict", CHART, ...FILES, ...values);
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /\[(?:WARNING|ERROR)\]/);
  }
});

test("Helm chart: values that would not work in the cluster -> refused, nothing rendered", {
  timeout: 120_000,
}, async (t) => {
  const { cwd, render } = await workshop(t);
  const secret = ["--set", "tls.secret=own-tls"];
  const ca = ["--set-file", "tls.caBundle=ca.crt"];
  writeFileSync(join(cwd, "both.pem"), `${tlsAuthority("own").cert}-----BEGIN PRIVATE KEY-----\n`);
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["--set-file", "policy=p.yaml"], /missing image/],
    [["--set", `image=${IMAGE}`], /missing policy/],
    [[...FILES, "--set-file", "files.b\\.pub=a.key"], /b\.pub contains a private key/],
    [[...FILES, ...ca], /missing tls\.secret/],
    [[...FILES, ...secret], /tls\.caBundle is not a file of certificates/],
    [[...FILES, ...secret, "--set-file", "tls.caBundle=both.pem"], /tls\.caBundle is not a file of certificates/],
    [[...FILES, ...secret, "--set-file", "tls.caBundle=a.pub"], /tls\.caBundle is not a file of certificates/],
    [[...FILES, ...secret, "--set", "tls.certManager=true"], /tls\.certManager cannot be used with tls\.secret/],
    [[...FILES, "--set", "tls.secret=Own_tls", ...ca], /secret/],
    [[...FILES, "--set", "replicas=0"], /replicas/],
    [[...FILES, "--set-json", 'env={"HOME":"/"}'], /env|HOME/],
    [[...FILES, "--set-json", 'env={"A-B":"/"}'], /env|A-B/],
    [[...FILES, "--set-json", 'env={"A":1}'], /env/],
    [[...FILES, ...secret, ...ca, "--set", "gatekeeperProvider=x"], /gatekeeperProvider cannot be used with tls/],
    [[...FILES, "--set", "gatekeeperProvider=X/y"], /gatekeeperProvider/],
    [[...FILES, "--set", "webhookTimeout=31"], /webhookTimeout/],
    [[...FILES, "--set", "failurePolicy=Open"], /failurePolicy/],
    [[...FILES, "--set", "namespaces=all"], /namespaces/],
    [[...FILES, "--set", "replica=3"], /replica/],
    [[...FILES, "--set-json", 'workloads={"deployments.apps":["/spec/template"]}'], /workloads/],
    [[...FILES, "--set-json", 'workloads={"rollouts.argoproj.io":[]}'], /workloads/],
    [[...FILES, "--set-json", 'workloads={"rollouts.argoproj.io":["spec"]}'], /workloads/],
  ];
  for (const [values, reason] of cases) {
    const { code, stdout, stderr } = await render(...values);
    assert.notEqual(code, 0, values.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, reason);
  }
});
