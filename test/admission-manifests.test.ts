import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { run, temporaryFolder } from "./support/test-io.ts";
import { tlsAuthority } from "./support/tls-authorities.ts";

const IMAGE = `r.example/tsign@sha256:${"a".repeat(64)}`;
const SECRET = ["--tls-secret=own-tls", "--ca-bundle=ca.crt", "--cluster-policies=false"];

interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Record<string, string>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: Kubernetes' objects
  readonly [field: string]: any;
}

/** A folder with a key pair, a certificate, and a policy that names the key's file. */
function workshop(t: TestContext) {
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "a");
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  const { cert } = tlsAuthority("own");
  write("ca.crt", cert);
  const policy = (key: string) =>
    write(
      "p.yaml",
      `version: 1\nsigners: {a: {key: ${key}}}\nrules: [{images: r.example/**, signatures: {signers: a}}]\n`,
    );
  policy("a.pub");
  const tsign = (...argv: string[]) => run(["admission", "manifests", ...argv], { cwd, env: {} });
  const print = async (...argv: string[]) => {
    const { code, stdout, stderr } = await tsign("--trust-policy=p.yaml", ...argv);
    assert.deepEqual([code, stderr], [0, ""], stderr);
    const objects = parseAllDocuments(stdout, { strict: true, uniqueKeys: true }).map((each): Manifest => each.toJS());
    return {
      stdout,
      all: objects,
      of: (kind: string) => objects.find((each) => each.kind === kind) ?? assert.fail(kind),
    };
  };
  return { cwd, write, policy, tsign, print, cert };
}

test("admission manifests: one service with its policy and keys, without rights, and webhooks that ask it", async (t) => {
  const { print, cert } = workshop(t);
  const { all, of } = await print(...SECRET, IMAGE);
  const kinds = ["Namespace", "ServiceAccount", "ConfigMap", "Deployment", "PodDisruptionBudget", "Service"];
  const more = ["NetworkPolicy", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
  assert.deepEqual(
    all.map(({ kind }) => kind),
    [...kinds, ...more],
  );
  assert.deepEqual(Object.keys(of("ConfigMap")["data"]), ["tsign.policy.yaml", "a.pub"]);
  assert.match(of("ConfigMap")["data"]["a.pub"], /BEGIN PUBLIC KEY/);
  const { replicas, template } = of("Deployment")["spec"];
  assert.equal(replicas, 2);
  const [container] = template.spec.containers;
  assert.equal(container.image, IMAGE);
  assert.ok(container.args.includes("--trust-policy=/etc/tsign/tsign.policy.yaml"));
  assert.equal(template.spec.securityContext.runAsNonRoot, true);
  assert.equal(container.securityContext.readOnlyRootFilesystem, true);
  assert.equal(template.spec.automountServiceAccountToken, false);
  assert.equal(template.spec.volumes[1].secret.secretName, "own-tls");
  // Both select what the Deployment makes.
  for (const kind of ["Service", "PodDisruptionBudget", "NetworkPolicy"]) {
    const { selector, podSelector } = of(kind)["spec"];
    assert.deepEqual(podSelector?.matchLabels ?? selector.matchLabels ?? selector, template.metadata.labels, kind);
  }
  for (const [kind, path] of [
    ["MutatingWebhookConfiguration", "/mutate"],
    ["ValidatingWebhookConfiguration", "/validate"],
  ] as const) {
    const [webhook] = of(kind)["webhooks"];
    assert.deepEqual(webhook.clientConfig.service, { name: "tsign", namespace: "tsign-system", path, port: 443 });
    assert.equal(Buffer.from(webhook.clientConfig.caBundle, "base64").toString(), cert);
    assert.deepEqual([webhook.failurePolicy, webhook.timeoutSeconds, webhook.sideEffects], ["Fail", 10, "None"]);
    const [label, name] = webhook.namespaceSelector.matchExpressions;
    assert.deepEqual(label, { key: "policy.sigstore.dev/include", operator: "In", values: ["true"] });
    assert.equal(name.operator, "NotIn");
    assert.deepEqual(name.values, ["kube-system", "kube-public", "kube-node-lease", "tsign-system"]);
    const resources = webhook.rules.flatMap((rule: { resources: string[] }) => rule.resources);
    assert.ok(resources.includes("pods") && resources.includes("pods/ephemeralcontainers"), kind);
    assert.equal(resources.includes("deployments"), kind.startsWith("Validating"));
  }
});

test("admission manifests: cert-manager, another namespace, all namespaces, failing open", async (t) => {
  const { print } = workshop(t);
  const { all, of } = await print(
    ...["--cert-manager", "--namespace=guard", "--namespaces=not-excluded", "--failure-policy=Ignore"],
    ...["--webhook-timeout=30s", "--replicas=1", IMAGE],
  );
  assert.equal(of("Issuer").metadata.namespace, "guard");
  const { dnsNames, secretName } = of("Certificate")["spec"];
  assert.deepEqual(dnsNames, ["tsign.guard.svc"]);
  assert.equal(of("Deployment")["spec"].template.spec.volumes[1].secret.secretName, secretName);
  assert.deepEqual(
    all.map(({ metadata: { namespace = "" } }) => namespace).filter((each) => each !== "" && each !== "guard"),
    [],
  );
  // With one replica, minAvailable: 1 would let no node be drained.
  assert.equal(of("PodDisruptionBudget")["spec"].minAvailable, undefined);
  for (const kind of ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]) {
    const { metadata, webhooks } = of(kind);
    assert.equal(metadata.annotations?.["cert-manager.io/inject-ca-from"], "guard/tsign");
    const [webhook] = webhooks;
    assert.equal(webhook.clientConfig.caBundle, undefined);
    assert.deepEqual([webhook.failurePolicy, webhook.timeoutSeconds], ["Ignore", 30]);
    const [label, name] = webhook.namespaceSelector.matchExpressions;
    assert.deepEqual(label, { key: "policy.sigstore.dev/exclude", operator: "NotIn", values: ["true"] });
    assert.ok(name.values.includes("guard"));
  }
});

test("admission manifests: pull secrets -> the right to get them by name, and nothing else", async (t) => {
  const { print } = workshop(t);
  const without = await print(...SECRET, IMAGE);
  assert.ok(!without.stdout.includes("rbac.authorization.k8s.io"));
  const { of } = await print(...SECRET, "--pull-secrets", IMAGE);
  const { name } = of("ClusterRole").metadata;
  assert.deepEqual(of("ClusterRole")["rules"], [
    { apiGroups: [""], resources: ["secrets", "serviceaccounts"], verbs: ["get"] },
  ]);
  const { roleRef, subjects } = of("ClusterRoleBinding") as Manifest;
  assert.deepEqual(roleRef, { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name });
  const account = of("ServiceAccount").metadata;
  assert.deepEqual(subjects, [{ kind: "ServiceAccount", name: account.name, namespace: account.namespace }]);
  const { spec } = of("Deployment")["spec"].template;
  assert.equal(spec.automountServiceAccountToken, true);
  assert.ok(spec.containers[0].args.includes("--pull-secrets"));
});

test("admission manifests: by default it keeps its certificate, with the right to change what it needs by name only", async (t) => {
  const { print } = workshop(t);
  const { of, all, stdout } = await print("--namespace=guard", "--cluster-policies=false", IMAGE);
  const { spec } = of("Deployment")["spec"].template;
  const [container] = spec.containers;
  assert.ok(container.args.includes("--tls-service=guard/tsign"));
  assert.ok(!container.args.some((each: string) => /--tls-(cert|key)/.test(each)));
  assert.ok(![...container.volumeMounts, ...spec.volumes].some(({ name }: { name: string }) => name === "tls"));
  assert.equal(spec.automountServiceAccountToken, true);
  assert.deepEqual(of("Role").metadata.namespace, "guard");
  assert.deepEqual(of("Role")["rules"], [
    { apiGroups: [""], resources: ["secrets"], resourceNames: ["tsign-tls"], verbs: ["get", "update"] },
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], resourceNames: ["tsign"], verbs: ["get", "update"] },
  ]);
  assert.deepEqual(of("ClusterRole")["rules"], [
    {
      ...{ apiGroups: ["admissionregistration.k8s.io"], resourceNames: ["tsign"], verbs: ["get", "patch"] },
      resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    },
  ]);
  assert.ok(!stdout.includes("gatekeeper"));
  const providing = await print("--gatekeeper-provider=tsign", "--cluster-policies=false", IMAGE);
  assert.deepEqual(providing.of("ClusterRole")["rules"].slice(1), [
    {
      ...{ apiGroups: ["externaldata.gatekeeper.sh"], resources: ["providers"], resourceNames: ["tsign"] },
      verbs: ["get", "patch"],
    },
  ]);
  const [{ args }] = providing.of("Deployment")["spec"].template.spec.containers;
  assert.ok(args.includes("--gatekeeper-provider=tsign"));
  for (const kind of ["Secret", "Lease"]) {
    const { apiVersion: _version, kind: _kind, metadata, ...rest } = of(kind);
    assert.equal(metadata.namespace, "guard");
    assert.deepEqual(rest, {}, "to apply it again must not change what is in it");
  }
  assert.ok(!stdout.includes("caBundle"));
  const { all: others } = await print("--cert-manager", "--cluster-policies=false", IMAGE);
  assert.ok(!others.some(({ kind }) => /^(Role|ClusterRole|Secret|Lease)/.test(kind)));
  assert.ok(all.findIndex(({ kind }) => kind === "Role") < all.findIndex(({ kind }) => kind === "Deployment"));
});

test("admission manifests: policies as objects are defined, may be read, and are checked by a webhook of their own", async (t) => {
  const { print } = workshop(t);
  const { all, of } = await print(...SECRET.slice(0, 2), IMAGE);
  const defined = all.filter(({ kind }) => kind === "CustomResourceDefinition");
  assert.deepEqual(
    defined.map(({ metadata, spec }) => [metadata.name, spec.scope]),
    [
      ["tsignpolicies.tsign.dev", "Namespaced"],
      ["clustertsignpolicies.tsign.dev", "Cluster"],
    ],
  );
  assert.deepEqual(of("ClusterRole")["rules"], [
    { apiGroups: ["tsign.dev"], resources: ["tsignpolicies", "clustertsignpolicies"], verbs: ["list", "watch"] },
  ]);
  assert.ok(of("Deployment")["spec"].template.spec.containers[0].args.includes("--cluster-policies"));
  for (const { spec } of defined) {
    const [{ subresources, schema, additionalPrinterColumns: columns }] = spec.versions;
    assert.deepEqual(subresources, { status: {} });
    assert.ok(schema.openAPIV3Schema.properties.status.properties.conditions);
    assert.deepEqual(
      columns.map(({ name }: { name: string }) => name),
      ["Ready", "Reason", "Age", "Message"],
    );
  }
  // Who keeps the certificate is elected, and writes into the objects: their status alone.
  const kept = await print(IMAGE);
  const rules = kept
    .of("ClusterRole")
    ["rules"].filter(({ apiGroups }: { apiGroups: string[] }) => apiGroups.includes("tsign.dev"));
  assert.deepEqual(rules.slice(1), [
    { apiGroups: ["tsign.dev"], resources: ["tsignpolicies/status", "clustertsignpolicies/status"], verbs: ["patch"] },
  ]);
  const [pods, policies] = of("ValidatingWebhookConfiguration")["webhooks"];
  assert.equal(pods.name, "validate.tsign.dev");
  assert.deepEqual(policies.rules[0].resources, ["tsignpolicies", "clustertsignpolicies"]);
  assert.equal(policies.namespaceSelector, undefined, "those of every namespace");
  assert.deepEqual(policies.clientConfig, pods.clientConfig);
  assert.equal(of("MutatingWebhookConfiguration")["webhooks"].length, 1);
  const without = await print(...SECRET, IMAGE);
  assert.ok(!without.stdout.includes("tsignpolic") && !without.stdout.includes("cluster-policies"));
});

test("admission manifests: variables -> those of the service, and HOME stays", async (t) => {
  const { print } = workshop(t);
  const { of } = await print("--env=OTEL_SERVICE_NAME=a=b,c", "--env=OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", IMAGE);
  const [{ env }] = of("Deployment")["spec"].template.spec.containers;
  assert.deepEqual(env, [
    { name: "HOME", value: "/home/nonroot" },
    { name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://c:4318" },
    { name: "OTEL_SERVICE_NAME", value: "a=b,c" },
  ]);
});

test("admission manifests: custom resources -> asked about by the validating webhook, and read by the service", async (t) => {
  const { print } = workshop(t);
  const flags = ["jobs.batch.volcano.sh=/spec/tasks/*/template", "rollouts.argoproj.io=/spec/template"].map(
    (each) => `--workload=${each}`,
  );
  const { of } = await print(...SECRET, ...flags, IMAGE);
  assert.deepEqual(of("Deployment")["spec"].template.spec.containers[0].args.slice(-2), flags);
  const rulesOf = (kind: string) => of(kind)["webhooks"][0].rules;
  const common = { apiVersions: ["*"], operations: ["CREATE", "UPDATE"], scope: "Namespaced" };
  assert.deepEqual(rulesOf("ValidatingWebhookConfiguration").slice(-2), [
    { ...common, apiGroups: ["batch.volcano.sh"], resources: ["jobs"] },
    { ...common, apiGroups: ["argoproj.io"], resources: ["rollouts"] },
  ]);
  assert.equal(
    rulesOf("MutatingWebhookConfiguration").length,
    1,
    "a controller compares templates with what it applied",
  );
});

test("admission manifests: what would not work in the cluster -> refused, nothing printed", async (t) => {
  const { cwd, write, policy, tsign } = workshop(t);
  const refused = async (expected: RegExp, ...argv: string[]) => {
    const { code, stdout, stderr } = await tsign(...argv);
    assert.deepEqual([code, stdout], [1, ""], argv.join(" "));
    assert.match(stderr, expected, argv.join(" "));
  };
  const given = ["--trust-policy=p.yaml", IMAGE];
  await refused(/missing --trust-policy/, ...SECRET, IMAGE);
  for (const env of ["--env=X", "--env==x", "--env=A-B=x", "--env=HOME=/", "--env=1A=x"])
    await refused(/invalid --env/, env, ...given);
  await refused(/--env: A is given twice/, "--env=A=1", "--env=A=2", ...given);
  const provider = "--gatekeeper-provider=p";
  await refused(/--gatekeeper-provider and --tls-secret cannot be used together/, ...SECRET, provider, ...given);
  await refused(
    /--gatekeeper-provider and --cert-manager cannot be used together/,
    "--cert-manager",
    provider,
    ...given,
  );
  await refused(/invalid --gatekeeper-provider/, "--gatekeeper-provider=A b", ...given);
  await refused(/missing --tls-secret/, "--ca-bundle=ca.crt", ...given);
  await refused(/missing --ca-bundle/, "--tls-secret=x", ...given);
  await refused(
    /--cert-manager and --tls-secret cannot be used together/,
    "--cert-manager",
    "--tls-secret=x",
    ...given,
  );
  await refused(/invalid --tls-secret: "X"/, "--tls-secret=X", "--ca-bundle=ca.crt", ...given);
  await refused(/read a\.pub: not a file of certificates/, "--tls-secret=x", "--ca-bundle=a.pub", ...given);
  await refused(
    /invalid --workload: "deployments\.apps=\/spec"/,
    "--workload=deployments.apps=/spec",
    ...SECRET,
    ...given,
  );
  await refused(/invalid --namespace: "A b"/, "--namespace=A b", ...SECRET, ...given);
  for (const time of ["500ms", "31s", "0s", "1500ms"]) {
    await refused(/invalid --webhook-timeout/, `--webhook-timeout=${time}`, ...SECRET, ...given);
  }
  await refused(/"NO" is not a valid|could not parse reference/, ...SECRET, "--trust-policy=p.yaml", "NO");
  mkdirSync(join(cwd, "keys"));
  write("keys/a.pub", "x");
  for (const [key, reason] of [
    ["keys/a.pub", /"keys\/a\.pub" is not a file beside the policy/],
    ["../a.pub", /is not a file beside the policy/],
    [`${cwd}/a.pub`, /is not a file beside the policy/],
    ["missing.pub", /missing\.pub/],
    ["a.key", /a\.key: it contains a private key/],
  ] as const) {
    policy(key);
    await refused(reason, ...SECRET, ...given);
  }
  policy("awskms:///alias/x"); // is not a file
  assert.equal((await tsign(...SECRET, ...given)).code, 0);
  write("p.yaml", "version: 7\n");
  await refused(/p\.yaml:1/, ...SECRET, ...given);
});

test("admission manifests: an image by its tag -> a warning", async (t) => {
  const { tsign } = workshop(t);
  const { code, stderr } = await tsign("--trust-policy=p.yaml", ...SECRET, "r.example/tsign:v1");
  assert.equal(code, 0);
  assert.match(stderr, /^WARNING: r\.example\/tsign:v1 is not named by its digest/);
});

test("docs/admission.md: the command lines print manifests", async (t) => {
  const { cwd, write } = workshop(t);
  write("tsign.policy.yaml", readFileSync(join(cwd, "p.yaml"), "utf8"));
  const page = readFileSync(resolve(import.meta.dirname, "../docs/admission.md"), "utf8");
  const lines = [...page.matchAll(/^ {4}tsign (admission manifests [^|\n]*)/gm)].map(([, line = ""]) =>
    line.trim().split(/\s+/),
  );
  assert.ok(lines.length > 0);
  for (const line of lines) {
    const { code, stdout, stderr } = await run(line, { cwd, env: {} });
    assert.deepEqual([code, stderr], [0, ""], line.join(" "));
    assert.match(stdout, /^kind: ValidatingWebhookConfiguration$/m);
  }
});
