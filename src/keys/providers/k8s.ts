import { TsignError, withFields } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import type { TlsOptions } from "../../io/io.ts";
import { type LoadPackage, loadPackages } from "../../packages.ts";
import { readKeyFile } from "../key-file.ts";
import { publicKeyFromPem } from "../public-key.ts";
import { signerFromKey } from "../signer.ts";
import { ask, createService, type Reply, type Service, textAt, valueAt } from "./rest.ts";
import type { KeyPair, KeyProvider, OpenProvider, ProviderIo } from "./types.ts";

const SERVICE = "Kubernetes";
const REFERENCE = /^k8s:\/\/([a-z0-9][a-z0-9-]*)\/([a-z0-9][a-z0-9.-]*)$/;
/** In place of a server. */
const NOTHING = "nothing found";
/** Secrets can be made immutable since this version. */
const IMMUTABLE_SINCE = [1, 21] as const;

/** The part of @kubernetes/client-node that is used: finding the cluster and logging in to it. */
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

/** Key pairs in Kubernetes secrets: `k8s://NAMESPACE/SECRET`, data `cosign.key`, `cosign.pub` and `cosign.password`. */
export const openK8s: OpenProvider = (io, reference) => k8sProvider(io, reference);

/** The same, with a library to test with. */
export function k8sProvider(io: ProviderIo, reference: string, load?: LoadPackage): KeyProvider {
  const [, namespace = "", name = ""] = REFERENCE.exec(reference) ?? [];
  if (name === "") {
    throw new TsignError("input", `${reference} does not name a secret`, {
      hint: "write k8s://NAMESPACE/SECRET, in lower case",
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
  const looked = "looked in KUBECONFIG, ~/.kube/config and the pod's service account";
  try {
    config.loadFromDefault();
    server = config.getCurrentCluster()?.server ?? "";
    // What the library falls back on when it found nothing.
    if (server === "http://localhost:8080" && config.getCurrentContext() === "loaded-context") server = NOTHING;
    else await config.applyToHTTPSOptions(options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0] : String(cause);
    throw new TsignError("auth", `the configuration of ${SERVICE} cannot be used: ${reason}`, { hint: looked, cause });
  }
  if (server === NOTHING) throw new TsignError("auth", `no credentials for ${SERVICE}`, { hint: looked });
  if (server === "") throw new TsignError("auth", `the configuration of ${SERVICE} names no cluster`, { hint: looked });
  const authorization = options.headers?.["Authorization"] ?? (options.auth && basic(options.auth));
  const impersonated = options.headers?.["Impersonate-User"];
  return createService(io, {
    service: "k8s",
    name: SERVICE,
    base: server,
    variable: "the server of the cluster",
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
    throw new TsignError("input", `the secret ${secret.namespace}/${secret.name} has no ${key}`, {
      hint: "`tsign generate-key-pair k8s://NAMESPACE/SECRET` makes one that has",
    });
  });
}

/** As cosign does: a new secret, or the one there with its other data kept; immutable where the server can. */
async function storeSecret(service: Service, secret: Secret, pair: KeyPair): Promise<string[]> {
  const immutable = await supportsImmutable(service);
  const path = pathOf(secret);
  const known = await ask(service, { path });
  if (known.status !== 200 && known.status !== 404) throw refusal(service, known, { secret, verb: "get" });
  const others = known.status === 200 ? valueAt(known.body, "data") : undefined;
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
  const verb = known.status === 200 ? "update" : "create";
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

/** The error for an answer that is no success, with `status` and `url`. */
function refusal(service: Service, reply: Reply, on: { secret: Secret; verb: string }): TsignError {
  return withFields(explained(service, reply, on), { status: reply.status, url: reply.url });
}

function explained(service: Service, reply: Reply, on: { secret: Secret; verb: string }): TsignError {
  const { namespace, name } = on.secret;
  const said = (textAt(reply.body, "message") || `status ${reply.status}`).slice(0, 300);
  if (reply.status === 401) {
    return new TsignError("auth", `${SERVICE} at ${service.base} does not accept the credentials`, {
      hint: "looked in KUBECONFIG, ~/.kube/config and the pod's service account",
    });
  }
  if (reply.status === 403) {
    return new TsignError(
      "auth",
      `no permission to ${on.verb} secrets in namespace ${namespace} of ${SERVICE}: ${said}`,
    );
  }
  if (reply.status === 404) {
    const missing = /namespaces/.test(said) ? `namespace ${namespace}` : `secret ${name} in namespace ${namespace}`;
    return new TsignError("input", `there is no ${missing} at ${service.base}`);
  }
  if (reply.status === 422) {
    return new TsignError("input", `the secret ${name} in namespace ${namespace} cannot be changed: ${said}`, {
      hint: "key pairs are kept in immutable secrets: delete it first, or choose another name",
    });
  }
  if (reply.status === 429) return new TsignError("service", `${SERVICE} is still throttling after several tries`);
  return new TsignError("service", `${SERVICE} at ${service.base} cannot ${on.verb} the secret ${name}: ${said}`);
}
