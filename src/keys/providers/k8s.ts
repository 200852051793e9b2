import { TsignError, withFields } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import type { TlsOptions } from "../../io/io.ts";
import { type LoadPackage, loadPackages } from "../../packages.ts";
import { readKeyFile } from "../key-file.ts";
import { publicKeyFromPem } from "../public-key.ts";
import { signerFromKey } from "../signer.ts";
import { ask, createService, type Reply, rateLimited, type Service, textAt, valueAt } from "./rest.ts";
import type { KeyPair, KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const SERVICE = "Kubernetes";
const REFERENCE = /^k8s:\/\/([a-z0-9][a-z0-9-]*)\/([a-z0-9][a-z0-9.-]*)$/;
const CONFIGURE = "set KUBECONFIG or ~/.kube/config, or run in a pod with a service account";
/** Stands for a missing server address. */
const NOT_FOUND = "not found";
/** The first Kubernetes version with immutable secrets. */
const IMMUTABLE_SINCE = [1, 21] as const;

/** The part of @kubernetes/client-node that is used, to find the cluster and its credentials. */
interface ClientNode {
  readonly KubeConfig: new () => KubeConfig;
}
interface KubeConfig {
  loadFromDefault(): void;
  getCurrentContext(): string;
  getCurrentCluster(): { readonly server: string } | null;
  applyToHTTPSOptions(options: HttpsOptions): Promise<void>;
}
interface HttpsOptions {
  headers?: Record<string, string>;
  ca?: Uint8Array;
  cert?: Uint8Array;
  key?: Uint8Array;
  servername?: string;
  rejectUnauthorized?: boolean;
  auth?: string;
}

interface Secret {
  readonly namespace: string;
  readonly name: string;
}

/** Opens key pairs in Kubernetes secrets: `k8s://NAMESPACE/SECRET` with `cosign.key`, `cosign.pub` and `cosign.password`. */
export const openK8s: OpenProvider = (io, reference) => k8sProvider(io, reference);

/** Like openK8s, with a loader for the library in tests. */
export function k8sProvider(io: ProviderIo, reference: string, load?: LoadPackage): KeyProvider {
  const [, namespace = "", name = ""] = REFERENCE.exec(reference) ?? [];
  if (name === "") {
    throw new TsignError("input", `invalid ${SERVICE} reference: ${reference}`, {
      hint: "use k8s://NAMESPACE/SECRET, in lower case",
    });
  }
  const secret = { namespace, name };
  let connected: Promise<Service> | undefined;
  const service = () => {
    connected ??= connect(io, load);
    return connected;
  };
  const read = async (...keys: readonly string[]) => readSecret(await service(), secret, keys);
  return {
    service: SERVICE,
    publicKey: async () => publicKeyFromPem((await read("cosign.pub"))[0]?.toString("utf8") ?? ""),
    signer: async () => {
      const [key = Buffer.alloc(0), password = Buffer.alloc(0)] = await read("cosign.key", "cosign.password");
      return signerFromKey(await readKeyFile(key.toString("utf8"), async () => password));
    },
    facts: async () => ({ id: `secret ${name} in namespace ${namespace} at ${(await service()).base}` }),
    store: async (pair) => storeSecret(await service(), secret, pair),
  };
}

async function connect(io: ProviderIo, load: LoadPackage | undefined): Promise<Service> {
  const [{ KubeConfig }] = await loadPackages<[ClientNode]>(["@kubernetes/client-node"], { purpose: "k8s://", load });
  const config = new KubeConfig();
  const options: HttpsOptions = {};
  let server = "";
  try {
    config.loadFromDefault();
    server = config.getCurrentCluster()?.server ?? "";
    // The library's default when it found no configuration.
    if (server === "http://localhost:8080" && config.getCurrentContext() === "loaded-context") server = NOT_FOUND;
    else await config.applyToHTTPSOptions(options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new TsignError("auth", `unusable ${SERVICE} configuration: ${reason}`, { hint: CONFIGURE, cause });
  }
  if (server === NOT_FOUND) throw new TsignError("auth", `missing credentials for ${SERVICE}`, { hint: CONFIGURE });
  if (server === "")
    throw new TsignError("auth", `missing cluster in the ${SERVICE} configuration`, { hint: CONFIGURE });
  if (options.ca && options.rejectUnauthorized === false) {
    throw new TsignError(
      "auth",
      `unusable ${SERVICE} configuration: insecure-skip-tls-verify cannot be used with certificate-authority`,
      { hint: "remove insecure-skip-tls-verify from the cluster" },
    );
  }
  const authorization = options.headers?.["Authorization"] ?? (options.auth && basic(options.auth));
  const impersonated = options.headers?.["Impersonate-User"];
  return createService(io, {
    service: "k8s",
    name: SERVICE,
    base: server,
    variable: "server of the cluster",
    headers: {
      ...(authorization ? { authorization } : {}),
      ...(impersonated ? { "impersonate-user": impersonated } : {}),
    },
    tls: tlsOf(options),
  });
}

const basic = (auth: string) => `Basic ${encodeBase64(Buffer.from(auth))}`;

function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: HttpsOptions): TlsOptions {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  return {
    ...(ca ? { ca: text(ca) } : {}),
    ...(cert ? { cert: text(cert) } : {}),
    ...(key ? { key: text(key) } : {}),
    ...(servername ? { serverName: servername } : {}),
    ...(rejectUnauthorized === false ? { insecure: true } : {}),
  };
}

const pathOf = ({ namespace, name }: Secret) => `/api/v1/namespaces/${namespace}/secrets/${name}`;

async function readSecret(service: Service, secret: Secret, keys: readonly string[]): Promise<Buffer[]> {
  const reply = await ask(service, { path: pathOf(secret) });
  if (reply.status !== 200) throw refusal(service, reply, { secret, verb: "get" });
  return keys.map((key) => {
    const value = valueAt(reply.body, "data", key);
    if (typeof value === "string") return Buffer.from(value, "base64");
    throw new TsignError("input", `secret ${secret.namespace}/${secret.name} has no ${key}`, {
      hint: "run `tsign generate-key-pair k8s://NAMESPACE/SECRET` to create a secret with a key pair",
    });
  });
}

/** Creates the secret, or updates it and keeps its other data, as cosign does. The secret is immutable if the server supports that. */
async function storeSecret(service: Service, secret: Secret, pair: KeyPair): Promise<string[]> {
  const immutable = await supportsImmutable(service);
  const path = pathOf(secret);
  const existing = await ask(service, { path });
  if (existing.status !== 200 && existing.status !== 404) throw refusal(service, existing, { secret, verb: "get" });
  const others = existing.status === 200 ? valueAt(existing.body, "data") : undefined;
  const json = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: secret.name, namespace: secret.namespace },
    type: "Opaque",
    data: {
      ...(typeof others === "object" ? others : {}),
      "cosign.key": encodeBase64(Buffer.from(pair.privateKey)),
      "cosign.pub": encodeBase64(Buffer.from(pair.publicKey)),
      "cosign.password": encodeBase64(pair.password),
    },
    ...(immutable ? { immutable } : {}),
  };
  const verb = existing.status === 200 ? "update" : "create";
  const written =
    verb === "update"
      ? await ask(service, { method: "PUT", path, json })
      : await ask(service, { path: path.slice(0, path.lastIndexOf("/")), json });
  if (written.status >= 300) throw refusal(service, written, { secret, verb });
  return [`Successfully ${verb}d secret ${secret.name} in namespace ${secret.namespace}`];
}

async function supportsImmutable(service: Service): Promise<boolean> {
  const { body } = await ask(service, { path: "/version" });
  const [major, minor] = [textAt(body, "major"), textAt(body, "minor")].map((text) => Number.parseInt(text, 10));
  return (major ?? 0) > IMMUTABLE_SINCE[0] || (major === IMMUTABLE_SINCE[0] && (minor ?? 0) >= IMMUTABLE_SINCE[1]);
}

/** Builds the error for an HTTP status other than success, with `status` and `url`. */
function refusal(service: Service, reply: Reply, request: { secret: Secret; verb: string }): TsignError {
  return withFields(errorFor(service, reply, request), { status: reply.status, url: reply.url });
}

function errorFor(service: Service, reply: Reply, request: { secret: Secret; verb: string }): TsignError {
  const { verb } = request;
  const { namespace, name } = request.secret;
  const reason = (textAt(reply.body, "message") || `status ${reply.status}`).slice(0, 300);
  if (reply.status === 401) {
    return new TsignError("auth", `${SERVICE} (${service.base}) refused the credentials (401)`, {
      hint: "check the credentials in KUBECONFIG, ~/.kube/config or the pod's service account",
    });
  }
  if (reply.status === 403) {
    return new TsignError(
      "auth",
      `${SERVICE} (${service.base}) denied permission to ${verb} secrets in namespace ${namespace} (403): ${reason}`,
      { hint: `allow the verb \`${verb}\` on secrets in a role of that namespace` },
    );
  }
  if (reply.status === 404) {
    const missing = /namespaces/.test(reason) ? `namespace ${namespace}` : `secret ${name} in namespace ${namespace}`;
    return new TsignError("input", `${missing} not found at ${service.base}`);
  }
  if (reply.status === 422) {
    return new TsignError("input", `cannot change secret ${name} in namespace ${namespace}: ${reason}`, {
      hint: "delete the secret first, or choose another name; secrets with key pairs are immutable",
    });
  }
  if (reply.status === 429) return rateLimited(service);
  return new TsignError(
    "service",
    `${SERVICE} (${service.base}) returned ${reply.status}: cannot ${verb} secret ${name}: ${reason}`,
  );
}
