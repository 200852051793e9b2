import { LABELS, type Manifest } from "./manifest-parts.ts";
import { POLICY_GROUP, POLICY_KINDS, POLICY_VERSION, type PolicyKind } from "./policy-objects.ts";

/** What is in an object is checked by the service, strictly: nothing that it does not know may be dropped before. */
const ANYTHING = { "x-kubernetes-preserve-unknown-fields": true } as const;
const OBJECT = { type: "object", ...ANYTHING } as const;

/** The schema of a trust policy (docs/policy.md), as far as the API server is to know it (a structural schema). */
const POLICY_SCHEMA = {
  ...OBJECT,
  required: ["version", "rules"],
  properties: {
    version: { type: "integer", enum: [1] },
    unmatched: { type: "string", enum: ["refuse", "warn", "audit"] },
    trust: OBJECT,
    signers: OBJECT,
    groups: OBJECT,
    builders: { type: "array", items: OBJECT },
    denied: OBJECT,
    rules: { type: "array", minItems: 1, items: OBJECT },
    tests: { type: "array", items: OBJECT },
  },
} as const;

/** What the elected replica writes: conditions, as those of other kinds. */
const STATUS_SCHEMA = {
  type: "object",
  properties: {
    conditions: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["type"],
      items: {
        type: "object",
        required: ["type", "status", "lastTransitionTime", "reason", "message"],
        properties: {
          type: { type: "string" },
          status: { type: "string", enum: ["True", "False", "Unknown"] },
          observedGeneration: { type: "integer", format: "int64", minimum: 0 },
          lastTransitionTime: { type: "string", format: "date-time" },
          reason: { type: "string" },
          message: { type: "string" },
        },
      },
    },
  },
} as const;

const ofReady = (field: string) => `.status.conditions[?(@.type=="Ready")].${field}`;
/** What `kubectl get` shows; the message with `-o wide`. */
const COLUMNS = [
  { name: "Ready", type: "string", jsonPath: ofReady("status") },
  { name: "Reason", type: "string", jsonPath: ofReady("reason") },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  { name: "Message", type: "string", jsonPath: ofReady("message"), priority: 1 },
] as const;

/** The definitions of the kinds that contain a policy. */
export function policyDefinitions(): Manifest[] {
  return (Object.keys(POLICY_KINDS) as PolicyKind[]).map((kind) => {
    const plural = POLICY_KINDS[kind];
    const schema = {
      openAPIV3Schema: {
        type: "object",
        required: ["spec"],
        properties: {
          apiVersion: { type: "string" },
          kind: { type: "string" },
          metadata: { type: "object" },
          spec: POLICY_SCHEMA,
          status: STATUS_SCHEMA,
        },
      },
    };
    return {
      ...{ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" },
      metadata: { name: `${plural}.${POLICY_GROUP}`, labels: LABELS },
      spec: {
        group: POLICY_GROUP,
        names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
        scope: kind === "TsignPolicy" ? "Namespaced" : "Cluster",
        versions: [
          {
            ...{ name: POLICY_VERSION, served: true, storage: true, schema },
            subresources: { status: {} },
            additionalPrinterColumns: COLUMNS,
          },
        ],
      },
    };
  });
}

/** The right to read the policies, and to be told of changes. */
export const POLICY_RIGHTS = {
  apiGroups: [POLICY_GROUP],
  resources: Object.values(POLICY_KINDS),
  verbs: ["list", "watch"],
} as const;

/** The right to write whether they are used, and nothing else of them. */
export const STATUS_RIGHTS = {
  apiGroups: [POLICY_GROUP],
  resources: Object.values(POLICY_KINDS).map((plural) => `${plural}/status`),
  verbs: ["patch"],
} as const;

/** The rules of the webhook that is asked about policies; not about deletions, which must work while the service does not run. */
export const POLICY_WEBHOOK_RULES = [
  {
    ...{ apiGroups: [POLICY_GROUP], apiVersions: [POLICY_VERSION], operations: ["CREATE", "UPDATE"], scope: "*" },
    resources: Object.values(POLICY_KINDS),
  },
] as const;
