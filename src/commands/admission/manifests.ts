import { workloadFlag } from "../../cli/flags/workloads.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print manifests that run admission in a cluster",
  about:
    "Prints what a Kubernetes cluster needs to run `tsign admission serve` and to ask it: namespace, ServiceAccount with the rights that it needs, ConfigMap with the trust policy and the files beside it that it names, Deployment, disruption budget, Service, network policy, and both webhook configurations. By default the service makes its certificate itself and replaces it in time. The argument is tsign's container image as the cluster pulls it. System namespaces and the service's own are never asked about.",
  examples: [
    "# Enforce a policy in the namespaces with the label policy.sigstore.dev/include=true",
    "tsign admission manifests --trust-policy tsign.policy.yaml registry.example/tsign:v1 | kubectl apply -f -",
    "# Send traces of reviews to OpenTelemetry",
    "tsign admission manifests --trust-policy tsign.policy.yaml --env OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.observability:4318 registry.example/tsign:v1 | kubectl apply -f -",
    "# Use cert-manager's certificates",
    "tsign admission manifests --trust-policy tsign.policy.yaml --cert-manager registry.example/tsign:v1 | kubectl apply -f -",
    "# Use a certificate from a Secret, issued by an own authority",
    "tsign admission manifests --trust-policy tsign.policy.yaml --tls-secret tsign-tls --ca-bundle ca.crt registry.example/tsign:v1",
  ],
  result: shape.object({ manifests: shape.list(shape.document(), "Kubernetes objects") }),
  args: { min: 1, max: 1 },
  flags: {
    trustPolicy: flag.string("trust policy file, which states who must have signed"),
    workload: workloadFlag,
    certManager: flag.bool("let cert-manager issue and renew the certificate"),
    tlsSecret: flag.string("name of the Secret with the certificate for tsign.NAMESPACE.svc and its key"),
    caBundle: flag.string("PEM file of the CA certificates that issued the certificate in --tls-secret"),
    namespace: flag.string("namespace of the service", { default: "tsign-system" }),
    namespaces: flag.choice(
      ["included", "not-excluded"],
      "namespaces to enforce the policy in: those with the label policy.sigstore.dev/include=true, or all without policy.sigstore.dev/exclude=true",
      { default: "included" },
    ),
    pullSecrets: flag.bool(
      "read registries with the imagePullSecrets of Pods, which needs the right to get secrets in all namespaces",
    ),
    clusterPolicies: flag.bool(
      "define TsignPolicy and ClusterTsignPolicy objects, and require what they require besides the policy file",
      { default: true },
    ),
    gatekeeperProvider: flag.string(
      "name of the Provider of OPA Gatekeeper that calls the service, to keep its caBundle current, which needs the right to change it",
    ),
    env: flag.texts(
      "variable of the service (NAME=VALUE), such as OTEL_EXPORTER_OTLP_ENDPOINT; not for secrets: the Deployment contains it",
      { typeName: "stringArray" },
    ),
    replicas: flag.int("number of replicas", { default: 2, range: [1, 50] }),
    failurePolicy: flag.choice(["Fail", "Ignore"], "what the API server does when the service does not answer", {
      default: "Fail",
    }),
    webhookTimeout: flag.duration("time that the API server waits for an answer", { default: 10_000 }),
  },
});
