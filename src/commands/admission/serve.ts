import { registryFlags } from "../../cli/flags/registry.ts";
import { workloadFlag } from "../../cli/flags/workloads.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

// Whoever creates an object names the registry: a password for no registry in particular would be sent to theirs.
const { registryPassword: _password, registryToken: _token, registryUsername: _user, ...connecting } = registryFlags;

export default defineCommand({
  usage: "[flags]",
  summary: "Provide admission decisions to Kubernetes",
  about:
    "Serves decisions of a trust policy over HTTPS until it is stopped: /validate and /mutate for admission webhooks (AdmissionReview v1), /gatekeeper for OPA Gatekeeper (external data v1beta1), /healthz, /readyz and /metrics. Images are read from Pods, with init and ephemeral containers and image volumes, and from the templates of Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs, ReplicationControllers and PodTemplates, and of the custom resources that --workload names; deletions and unchanged images pass without a look at the registry. Registries get the stored credentials for their host. /mutate also replaces tags by the digests that were verified. A review that cannot be read is refused. The policy and the certificates are read again when their files change; what cannot be used is reported, and the earlier ones stay. With OTEL_EXPORTER_OTLP_ENDPOINT in the environment, a trace of each review is sent there (OTLP over HTTP, in JSON).",
  examples: [
    "# Serve the decisions of a policy to a cluster",
    "tsign admission serve --trust-policy tsign.policy.yaml --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key",
    "# Also read the images of a custom resource",
    "tsign admission serve --trust-policy tsign.policy.yaml --tls-cert tls.crt --tls-key tls.key --workload rollouts.argoproj.io=/spec/template",
    "# Answer only clients that have a certificate",
    "tsign admission serve --trust-policy tsign.policy.yaml --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key --client-ca ca.crt",
  ],
  result: "none",
  args: { min: 0, max: 0 },
  flags: {
    ...connecting,
    trustPolicy: flag.string("trust policy file, which states who must have signed"),
    workload: workloadFlag,
    listen: flag.string("address to listen on; port 0 selects a free one", { default: "127.0.0.1:8443" }),
    tlsCert: flag.string("PEM file of the certificate chain to serve with"),
    tlsKey: flag.string("PEM file of the private key of --tls-cert"),
    tlsService: flag.string(
      "name of the Service (NAMESPACE/NAME) that the cluster calls: its certificate is made, kept in the Secret NAME-tls, replaced in time, and written to the webhook configurations NAME by the replica that the Lease NAME elects",
    ),
    tlsLifetime: flag.duration(
      "how long a certificate of --tls-service is valid; it is replaced when a third remains",
      {
        default: 90 * 24 * 3_600_000,
      },
    ),
    gatekeeperProvider: flag.string(
      "name of the Provider of OPA Gatekeeper that calls the Service of --tls-service: the elected replica keeps its caBundle current",
    ),
    clientCa: flag.string("PEM file of the CA certificates of clients; others only reach /healthz and /readyz"),
    pullSecrets: flag.bool(
      "read registries with the imagePullSecrets of Pods and service accounts, in the cluster that tsign runs in",
    ),
    clusterPolicies: flag.bool(
      "also require what the TsignPolicy and ClusterTsignPolicy objects require, in the cluster that tsign runs in",
    ),
    providerTimeout: flag.duration("time limit of an answer to Gatekeeper", { default: 900 }),
    reloadInterval: flag.duration("how often the policy and the certificates are read again", { default: 5000 }),
    shutdownDelay: flag.duration("time between a signal and the end of listening, in which clients notice", {
      default: 5000,
    }),
  },
  serves: true,
});
