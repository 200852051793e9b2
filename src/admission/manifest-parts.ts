import type { Workloads } from "./workload-paths.ts";

/** What the manifests are written from. */
export interface ManifestOptions {
  /** Reference of tsign's container image. */
  readonly image: string;
  /** Namespace of the service. */
  readonly namespace: string;
  readonly replicas: number;
  /** Name of the policy among `files`. */
  readonly policy: string;
  /** The policy and the files that it names, texts by name. */
  readonly files: ReadonlyMap<string, string>;
  /**
   * Certificates that the service makes itself, or from cert-manager, or a Secret (`kubernetes.io/tls`) and the PEM certificates that
   * issued its certificate.
   */
  readonly tls:
    | { readonly kind: "self-made" }
    | { readonly kind: "cert-manager" }
    | { readonly kind: "secret"; readonly name: string; readonly ca: string };
  /** Whether it reads the pull secrets of Pods, which needs rights. */
  readonly pullSecrets: boolean;
  /** Whether TsignPolicy and ClusterTsignPolicy objects are defined and used. */
  readonly clusterPolicies: boolean;
  /** Name of Gatekeeper's Provider whose `caBundle` is kept; "" for none. */
  readonly gatekeeperProvider: string;
  /** Variables of the service, by name. */
  readonly env: ReadonlyMap<string, string>;
  /** Where custom resources name images. */
  readonly workloads: Workloads;
  /** Which namespaces are asked about: those with the label `policy.sigstore.dev/include`, or all without `…/exclude`. */
  readonly namespaces: "included" | "not-excluded";
  readonly failurePolicy: "Fail" | "Ignore";
  /** Seconds that the API server waits: 1 to 30. */
  readonly timeoutSeconds: number;
}

/** A Kubernetes object. */
export type Manifest = { readonly apiVersion: string; readonly kind: string } & Readonly<Record<string, unknown>>;

/** Name of the objects. */
export const NAME = "tsign";
export const LABELS = { "app.kubernetes.io/name": NAME };
