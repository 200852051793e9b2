import { TsignError, withFields } from "../errors.ts";
import { isObject, parseJson } from "../format/json.ts";
import type { Io } from "../io/io.ts";
import { createTransport } from "../net/http.ts";
import type { TransportIo } from "../net/retry.ts";

/** Where Kubernetes puts the credentials of a Pod's service account. */
const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";
const MAX_FILE = { maxBytes: 1024 * 1024 };
/** The API server stores objects of at most 1.5 MiB. */
const MAX_OBJECT = { maxBytes: 4 * 1024 * 1024 };
const NAME = "Kubernetes";

/** Reads objects of the cluster that the program runs in. */
export interface Cluster {
  /**
   * Reads an object; undefined if there is none.
   *
   * @param path of the API, `/api/v1/namespaces/…`
   * @throws TsignError "auth" if it is not allowed, "service" and "network"
   */
  get(path: string): Promise<Readonly<Record<string, unknown>> | undefined>;
}

/**
 * Finds the cluster that the program runs in, as a Pod: its address in the environment, and the files of its service account. The
 * token is read for each request, because the kubelet renews it.
 *
 * @throws TsignError "auth" outside a Pod
 */
export async function ownCluster(io: TransportIo & Pick<Io, "env" | "files">): Promise<Cluster> {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "443" } = io.env;
  const hint = "run it in a Pod whose service account has a token, or leave --pull-secrets out";
  const base = URL.parse(`https://${host.includes(":") ? `[${host}]` : host}:${port}`);
  if (host === "" || base === null) {
    throw new TsignError("auth", `find ${NAME}: KUBERNETES_SERVICE_HOST is not set`, { hint });
  }
  const read = async (name: string) => {
    try {
      return Buffer.from(await io.files.read(`${FOLDER}/${name}`, MAX_FILE))
        .toString("utf8")
        .trim();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TsignError("auth", `find ${NAME}: ${reason}`, { hint, cause });
    }
  };
  await read("token");
  const transport = createTransport(io, { tls: { ca: await read("ca.crt") }, peer: { service: "k8s", name: NAME } });
  return {
    async get(path) {
      const headers = { accept: "application/json", authorization: `Bearer ${await read("token")}` };
      const url = new URL(path, base);
      const { status, bytes } = await transport.read({ method: "GET", url, headers }, MAX_OBJECT);
      if (status === 404) return undefined;
      const at = { status, url };
      if (status === 401 || status === 403) {
        const refused = new TsignError("auth", `read ${path} of ${NAME}: permission denied (${status})`, {
          hint: "allow the service account to get secrets and service accounts: tsign admission manifests --pull-secrets",
        });
        throw withFields(refused, at);
      }
      if (status !== 200) throw withFields(new TsignError("service", `read ${path} of ${NAME}: status ${status}`), at);
      const object = objectOf(bytes);
      if (object) return object;
      throw withFields(new TsignError("service", `read ${path} of ${NAME}: not a JSON object`), at);
    },
  };
}

/** Without the reason of a failure: what is read may be a secret. */
function objectOf(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = parseJson(bytes, NAME);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
