import { LABELS, type Manifest, type ManifestOptions, NAME } from "./manifest-parts.ts";
import { POLICY_WEBHOOK_RULES } from "./policy-manifests.ts";

const SYSTEM_NAMESPACES = ["kube-system", "kube-public", "kube-node-lease"];

/** The configuration of one webhook. What runs the service is never asked about, or a cluster could not repair it. */
export function webhookConfiguration(kind: "Mutating" | "Validating", options: ManifestOptions): Manifest {
  const { namespace, tls, namespaces, failurePolicy, timeoutSeconds, clusterPolicies } = options;
  const mutates = kind === "Mutating";
  const label =
    namespaces === "included"
      ? { key: "policy.sigstore.dev/include", operator: "In", values: ["true"] }
      : { key: "policy.sigstore.dev/exclude", operator: "NotIn", values: ["true"] };
  const excluded = { operator: "NotIn", values: [...SYSTEM_NAMESPACES, namespace] };
  const rule = (apiGroups: readonly string[], resources: readonly string[], apiVersions = ["v1"]) => ({
    ...{ apiGroups, apiVersions, operations: ["CREATE", "UPDATE"], resources, scope: "Namespaced" },
  });
  const workloads = [
    rule([""], ["replicationcontrollers", "podtemplates"]),
    rule(["apps"], ["daemonsets", "deployments", "replicasets", "statefulsets"]),
    rule(["batch"], ["cronjobs", "jobs"]),
    ...[...options.workloads.keys()].map((key) => {
      const [group = "", resource = ""] = key.split("/");
      return rule([group], [resource], ["*"]);
    }),
  ];
  const ca = tls.kind === "secret" ? { caBundle: Buffer.from(tls.ca).toString("base64") } : {};
  const inject = tls.kind !== "cert-manager" ? {} : { "cert-manager.io/inject-ca-from": `${namespace}/${NAME}` };
  const path = mutates ? "/mutate" : "/validate";
  const common = {
    clientConfig: { service: { name: NAME, namespace, path, port: 443 }, ...ca },
    ...{ failurePolicy, timeoutSeconds, sideEffects: "None", admissionReviewVersions: ["v1"] },
  };
  return {
    ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: `${kind}WebhookConfiguration` },
    metadata: { name: NAME, labels: LABELS, annotations: inject },
    webhooks: [
      {
        name: `${mutates ? "mutate" : "validate"}.tsign.dev`,
        ...common,
        // A controller compares templates with what it applied, so that only Pods are changed.
        rules: [rule([""], ["pods", "pods/ephemeralcontainers"]), ...(mutates ? [] : workloads)],
        namespaceSelector: { matchExpressions: [label, { key: "kubernetes.io/metadata.name", ...excluded }] },
        ...(mutates ? { reinvocationPolicy: "IfNeeded" } : {}),
      },
      ...(mutates || !clusterPolicies ? [] : [{ name: "policies.tsign.dev", ...common, rules: POLICY_WEBHOOK_RULES }]),
    ],
  };
}
