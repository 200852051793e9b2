import { LABELS, type Manifest, type ManifestOptions, NAME } from "./manifest-parts.ts";
import { POLICY_RIGHTS, policyDefinitions, STATUS_RIGHTS } from "./policy-manifests.ts";
import { webhookConfiguration } from "./webhook-manifests.ts";
import { resourceName } from "./workload-paths.ts";

/** The user of the container image. */
const USER = 65532;
const PORT = 8443;
const [POLICY_FOLDER, TLS_FOLDER, HOME] = ["/etc/tsign", "/etc/tsign-tls", "/home/nonroot"];
const TLS_SECRET = "tsign-tls";

/** Objects with which a cluster runs `tsign admission serve` and asks it, in the order in which they are applied. */
export function manifests(options: ManifestOptions): readonly Manifest[] {
  const { namespace, files, replicas, tls } = options;
  const metadata = { name: NAME, namespace, labels: LABELS };
  return [
    ...(options.clusterPolicies ? policyDefinitions() : []),
    {
      ...{ apiVersion: "v1", kind: "Namespace" },
      metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
    },
    { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false },
    ...rights(options),
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: Object.fromEntries(files) },
    ...(tls.kind === "cert-manager" ? certificates(namespace) : []),
    ...(tls.kind === "self-made" ? kept(namespace) : []),
    deployment(options),
    {
      ...{ apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata },
      spec: { ...(replicas > 1 ? { minAvailable: 1 } : { maxUnavailable: 1 }), selector: { matchLabels: LABELS } },
    },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata },
      spec: { selector: LABELS, ports: [{ name: "https", port: 443, targetPort: "https" }] },
    },
    {
      ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata },
      spec: { podSelector: { matchLabels: LABELS }, policyTypes: ["Ingress"], ingress: [{ ports: [{ port: PORT }] }] },
    },
    webhookConfiguration("Mutating", options),
    webhookConfiguration("Validating", options),
  ];
}

/** Whether it calls the API of the cluster. Otherwise it has neither a role nor a token. */
function callsApi({ pullSecrets, clusterPolicies, tls }: ManifestOptions): boolean {
  return pullSecrets || clusterPolicies || tls.kind === "self-made";
}

/**
 * The rights of the service: to read pull secrets by their names, and not to list them; and to keep its certificate, in objects that
 * exist and by their names only.
 */
function rights(options: ManifestOptions): Manifest[] {
  const { namespace, pullSecrets, clusterPolicies, tls, gatekeeperProvider } = options;
  if (!callsApi(options)) return [];
  const isKept = tls.kind === "self-made";
  const pulling = { apiGroups: [""], resources: ["secrets", "serviceaccounts"], verbs: ["get"] };
  const telling = {
    ...{ apiGroups: ["admissionregistration.k8s.io"], resourceNames: [NAME], verbs: ["get", "patch"] },
    resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
  };
  const providing = {
    ...{ apiGroups: ["externaldata.gatekeeper.sh"], resources: ["providers"] },
    ...{ resourceNames: [gatekeeperProvider], verbs: ["get", "patch"] },
  };
  const keeping = (apiGroup: string, resource: string, name: string) => ({
    ...{ apiGroups: [apiGroup], resources: [resource], resourceNames: [name], verbs: ["get", "update"] },
  });
  const own = [keeping("", "secrets", TLS_SECRET), keeping("coordination.k8s.io", "leases", NAME)];
  return [
    ...role("ClusterRole", namespace, [
      ...(pullSecrets ? [pulling] : []),
      ...(clusterPolicies ? [POLICY_RIGHTS] : []),
      ...(clusterPolicies && isKept ? [STATUS_RIGHTS] : []),
      ...(isKept ? [telling] : []),
      ...(gatekeeperProvider === "" ? [] : [providing]),
    ]),
    ...(isKept ? role("Role", namespace, own) : []),
  ];
}

/** A role, and its binding to the service account. */
function role(kind: "ClusterRole" | "Role", namespace: string, rules: readonly object[]): Manifest[] {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const metadata = { name: NAME, ...(kind === "Role" ? { namespace } : {}), labels: LABELS };
  const subjects = [{ kind: "ServiceAccount", name: NAME, namespace }];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name: NAME };
  return [
    { apiVersion, kind, metadata, rules },
    { apiVersion, kind: `${kind}Binding`, metadata, roleRef, subjects },
  ];
}

/** What the elected replica fills in. To apply it again changes nothing of that. */
function kept(namespace: string): Manifest[] {
  return [
    { apiVersion: "v1", kind: "Secret", metadata: { name: TLS_SECRET, namespace, labels: LABELS } },
    { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: NAME, namespace, labels: LABELS } },
  ];
}

/** A certificate that cert-manager issues and renews, signed by itself. */
function certificates(namespace: string): Manifest[] {
  const apiVersion = "cert-manager.io/v1";
  const metadata = { name: NAME, namespace, labels: LABELS };
  const spec = {
    ...{ secretName: TLS_SECRET, dnsNames: [`${NAME}.${namespace}.svc`], issuerRef: { name: NAME } },
    privateKey: { algorithm: "ECDSA", size: 256, rotationPolicy: "Always" },
  };
  return [
    { apiVersion, kind: "Issuer", metadata, spec: { selfSigned: {} } },
    { apiVersion, kind: "Certificate", metadata, spec },
  ];
}

function deployment(options: ManifestOptions): Manifest {
  const { image, env, namespace, replicas, policy, tls, pullSecrets, clusterPolicies, workloads, gatekeeperProvider } =
    options;
  const isKept = tls.kind === "self-made";
  const probe = (path: string) => ({ httpGet: { path, port: "https", scheme: "HTTPS" } });
  const container = {
    ...{ name: NAME, image },
    args: [
      ...["admission", "serve", `--listen=0.0.0.0:${PORT}`, `--trust-policy=${POLICY_FOLDER}/${policy}`],
      ...(isKept
        ? [`--tls-service=${namespace}/${NAME}`]
        : [`--tls-cert=${TLS_FOLDER}/tls.crt`, `--tls-key=${TLS_FOLDER}/tls.key`]),
      ...(pullSecrets ? ["--pull-secrets"] : []),
      ...(clusterPolicies ? ["--cluster-policies"] : []),
      ...(gatekeeperProvider === "" ? [] : [`--gatekeeper-provider=${gatekeeperProvider}`]),
      ...[...workloads].flatMap(([key, paths]) =>
        paths.map(({ pointer }) => `--workload=${resourceName(key)}=${pointer}`),
      ),
    ],
    env: [{ name: "HOME", value: HOME }, ...[...env].map(([name, value]) => ({ name, value }))],
    ports: [{ name: "https", containerPort: PORT }],
    readinessProbe: probe("/readyz"),
    livenessProbe: probe("/healthz"),
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "512Mi" } },
    securityContext: {
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [
      { name: "policy", mountPath: POLICY_FOLDER, readOnly: true },
      ...(isKept ? [] : [{ name: "tls", mountPath: TLS_FOLDER, readOnly: true }]),
      { name: "home", mountPath: HOME },
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
  const spread = {
    ...{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" },
    labelSelector: { matchLabels: LABELS },
  };
  const pod = {
    ...{ serviceAccountName: NAME, automountServiceAccountToken: callsApi(options), terminationGracePeriodSeconds: 60 },
    topologySpreadConstraints: [spread],
    securityContext: { runAsNonRoot: true, runAsUser: USER, seccompProfile: { type: "RuntimeDefault" } },
    containers: [container],
    volumes: [
      { name: "policy", configMap: { name: NAME } },
      ...(isKept ? [] : [{ name: "tls", secret: { secretName: tls.kind === "secret" ? tls.name : TLS_SECRET } }]),
      { name: "home", emptyDir: {} },
      { name: "tmp", emptyDir: {} },
    ],
  };
  return {
    ...{ apiVersion: "apps/v1", kind: "Deployment" },
    metadata: { name: NAME, namespace, labels: LABELS },
    spec: {
      replicas,
      selector: { matchLabels: LABELS },
      template: { metadata: { labels: LABELS }, spec: pod },
    },
  };
}
