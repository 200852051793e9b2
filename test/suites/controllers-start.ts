import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { selfSigned } from "../support/tls-authorities.ts";
import { type Cluster, startCluster } from "./admission-kit.ts";
import { apply, freePort, type Manifest, NAMESPACE, shipped, start } from "./controllers-kit.ts";
import { folder } from "./support.ts";

const namespace = (name: string, labels = {}): Manifest => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});
const shop = namespace(NAMESPACE, { "policy.sigstore.dev/include": "true" });

/** Starts policy-controller beside an API server, which reaches it by the name of its Service. */
export async function startPolicyController(t: TestContext): Promise<Cluster> {
  const cwd = folder(t);
  const cluster = await startCluster(t, cwd);
  const system = "cosign-system";
  const wanted = /^(CustomResourceDefinition|ConfigMap|Secret|(Mutating|Validating)WebhookConfiguration)$/;
  const service = JSON.stringify({ name: "webhook", namespace: system, port: 8443 });
  await apply(cluster, [
    namespace(system),
    {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: "webhook", namespace: system } },
      spec: { type: "ExternalName", externalName: "localhost", ports: [{ port: 8443 }] },
    },
    ...shipped("policy-controller", "config")
      .filter(({ kind }) => wanted.test(kind))
      .map((each) => JSON.parse(JSON.stringify(each).replaceAll(/"service":\{[^}]*\}/g, `"service":${service}`))),
    shop,
  ]);
  const env = {
    KUBECONFIG: cluster.kubeconfig,
    SYSTEM_NAMESPACE: system,
    CONFIG_LOGGING_NAME: "config-logging",
    CONFIG_OBSERVABILITY_NAME: "config-observability",
    METRICS_DOMAIN: "sigstore.dev/policy",
    WEBHOOK_NAME: "webhook",
    POD_NAME: "policy-controller-0",
  };
  start(t, "policy-controller", ["--disable-tuf"], { cwd, env });
  return cluster;
}

/**
 * Starts Gatekeeper's manager beside an API server. Its webhooks refuse what they cannot answer, within ten seconds.
 *
 * @returns the cluster, and the certificate of Gatekeeper, with which it also calls providers
 */
export async function startGatekeeper(t: TestContext): Promise<{ cluster: Cluster; cert: string }> {
  const cwd = folder(t);
  const cluster = await startCluster(t, cwd);
  const system = "gatekeeper-system";
  const all = shipped("gatekeeper", "gatekeeper.yaml");
  const kinds = (pattern: RegExp) => all.filter(({ kind }) => pattern.test(kind));
  await apply(cluster, [
    namespace(system),
    ...kinds(/^CustomResourceDefinition$/),
    {
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "gatekeeper-0", namespace: system } },
      spec: { containers: [{ name: "manager", image: "gatekeeper" }] },
    },
    shop,
  ]);
  const { cert, key } = selfSigned(["127.0.0.1"]);
  const certificates = join(cwd, "certificates");
  mkdirSync(certificates);
  for (const [name, text] of Object.entries({ "tls.crt": cert, "tls.key": key, "ca.crt": cert })) {
    writeFileSync(join(certificates, name), text);
  }
  const [port, health, metrics] = [await freePort(), await freePort(), await freePort()];
  const operations = ["webhook", "mutation-webhook", "generate", "status", "mutation-status"];
  const manager = start(
    t,
    "gatekeeper",
    [
      ...["--host=127.0.0.1", `--port=${port}`, `--health-addr=127.0.0.1:${health}`, `--prometheus-port=${metrics}`],
      ...[`--cert-dir=${certificates}`, "--disable-cert-rotation", "--exempt-namespace=gatekeeper-system"],
      ...operations.map((each) => `--operation=${each}`),
    ],
    { cwd, env: { KUBECONFIG: cluster.kubeconfig, POD_NAME: "gatekeeper-0", POD_NAMESPACE: system } },
  );
  await manager.printed(/[Ss]erving webhook server/);
  const caBundle = Buffer.from(cert).toString("base64");
  const reached = kinds(/WebhookConfiguration$/).map((object): Manifest => {
    const webhooks = object["webhooks"] as { clientConfig: { service: { path: string } } }[];
    return {
      ...object,
      webhooks: webhooks.map((each) => ({
        ...each,
        clientConfig: { url: `https://127.0.0.1:${port}${each.clientConfig.service.path}`, caBundle },
        failurePolicy: "Fail",
        timeoutSeconds: 10,
      })),
    };
  });
  await setTimeout(500);
  await apply(cluster, reached);
  return { cluster, cert };
}

/**
 * Starts Kyverno's admission controller beside an API server, which reaches it by an address.
 *
 * @param tuf the TUF repository for keyless bundles: its URL, and root.json in base64
 */
export async function startKyverno(t: TestContext, tuf: { mirror: string; root: string }): Promise<Cluster> {
  const cwd = folder(t);
  const cluster = await startCluster(t, cwd);
  const system = "kyverno";
  const config = (name: string): Manifest => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: system },
    data: {},
  });
  await apply(cluster, [
    namespace(system),
    config("kyverno"),
    config("kyverno-metrics"),
    ...shipped("kyverno", "config/crds"),
    shop,
  ]);
  const port = await freePort();
  const accounts = ["background", "reports"];
  start(
    t,
    "kyverno",
    [
      ...[`--kubeconfig=${cluster.kubeconfig}`, `--serverIP=127.0.0.1:${port}`],
      ...["--webhookServerHost=127.0.0.1", `--webhookServerPort=${port}`],
      ...["--caSecretName=ca", "--tlsSecretName=tls", "--tlsKeyAlgorithm=ECDSA"],
      ...["--disableMetrics=true", "--controllerRuntimeMetricsAddress=0", "--admissionReports=false"],
      ...accounts.map((name) => `--${name}ServiceAccountName=system:serviceaccount:${system}:${name}`),
      ...["--enableTuf=true", `--tufMirror=${tuf.mirror}`, `--tufRootRaw=${tuf.root}`],
    ],
    {
      cwd,
      env: {
        KYVERNO_NAMESPACE: system,
        KYVERNO_SERVICEACCOUNT_NAME: "kyverno",
        KYVERNO_DEPLOYMENT: "kyverno",
        KYVERNO_POD_NAME: "kyverno-0",
        INIT_CONFIG: "kyverno",
        METRICS_CONFIG: "kyverno-metrics",
      },
    },
  );
  return cluster;
}

/** Starts an API server whose Pods and workloads tsign decides on, at a URL with a CA certificate. */
export async function startWebhook(t: TestContext, tsign: { url: string; ca: string }): Promise<Cluster> {
  const cluster = await startCluster(t, folder(t));
  const rules = [
    { apiGroups: [""], resources: ["pods", "pods/ephemeralcontainers"] },
    { apiGroups: ["apps"], resources: ["deployments"] },
    { apiGroups: ["batch"], resources: ["cronjobs"] },
  ].map((rule) => ({ ...rule, apiVersions: ["v1"], operations: ["CREATE", "UPDATE"] }));
  const webhook = (kind: "Mutating" | "Validating", path: string): Manifest => ({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: "tsign" },
    webhooks: [
      {
        name: `${kind.toLowerCase()}.tsign.dev`,
        clientConfig: { url: `${tsign.url}${path}`, caBundle: Buffer.from(tsign.ca).toString("base64") },
        ...{ rules, failurePolicy: "Fail", sideEffects: "None", timeoutSeconds: 10, admissionReviewVersions: ["v1"] },
        namespaceSelector: { matchLabels: { "policy.sigstore.dev/include": "true" } },
      },
    ],
  });
  await apply(cluster, [shop, webhook("Mutating", "/mutate"), webhook("Validating", "/validate")]);
  return cluster;
}
