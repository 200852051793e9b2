import { TsignError, withFields } from "../errors.ts";
import { isObject } from "../format/json.ts";
import { withParts } from "../format/parts.ts";
import type { Io } from "../io/io.ts";
import { createTransport } from "../net/http.ts";
import type { TransportIo } from "../net/retry.ts";

/** Where Kubernetes puts the credentials of a Pod's service account. */
const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";
const MAX_FILE = { maxBytes: 1024 * 1024 };
/** The API server stores objects of at most 1.5 MiB; lists contain many. */
const MAX_OBJECT = { maxBytes: 64 * 1024 * 1024 };
const NAME = "Kubernetes";

/** Reviews wait for these answers. Milliseconds. */
const LIMITS = { answer: 10_000, attempts: 3 };
/** How long a change is waited for, in seconds, and the limits of that request: until a change, nothing is received. */
const WATCH_SECONDS = 240;
const WATCH_LIMITS = { answer: 10_000, attempts: 1, idle: 300_000, body: 300_000 };

type Body = Readonly<Record<string, unknown>>;

/** Reads and changes objects of the cluster that the program runs in. */
export interface Cluster {
  /**
   * Reads an object; undefined if there is none.
   *
   * @param path of the API, `/api/v1/namespaces/…`
   * @throws TsignError "auth" if it is not allowed, "service" and "network"
   */
  get(path: string): Promise<Body | undefined>;
  /**
   * Replaces an object.
   *
   * @returns whether it was still the version (`metadata.resourceVersion`) that `object` was made from
   * @throws TsignError "auth", "service" and "network"
   */
  put(path: string, object: Body): Promise<boolean>;
  /**
   * Applies a JSON Patch (RFC 6902) to an object.
   *
   * @returns false if a `test` in it fails, or there is no such object
   * @throws TsignError "auth", "service" and "network"
   */
  patch(path: string, operations: readonly unknown[]): Promise<boolean>;
  /**
   * Waits until an object of a list has changed, or some minutes have passed.
   *
   * @param path of the list; @param resourceVersion the version of the list that is known
   * @throws TsignError "auth", "service" and "network"
   */
  changed(path: string, resourceVersion: string, signal: AbortSignal): Promise<void>;
}

/** How a Pod reaches the API server of its cluster. */
interface PodAccess {
  readonly server: URL;
  /** PEM certificates of the authority that issued the server's certificate. */
  readonly ca: string;
  /** Reads the token of the service account, which the kubelet renews. @throws TsignError "auth" */
  readonly token: () => Promise<string>;
}

/**
 * Finds the API server of the cluster that the program runs in, as a Pod: its address in the environment, and the files of its
 * service account.
 *
 * @param hint for errors
 * @throws TsignError "auth" outside a Pod, and in one without a token
 */
export async function podAccess({ env, files }: Pick<Io, "env" | "files">, hint: string): Promise<PodAccess> {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "443" } = env;
  const server = URL.parse(`https://${host.includes(":") ? `[${host}]` : host}:${port}`);
  if (host === "" || server === null) {
    throw new TsignError("auth", `find ${NAME}: KUBERNETES_SERVICE_HOST is not set`, { hint });
  }
  const read = async (name: string) => {
    try {
      const bytes = await files.read(`${FOLDER}/${name}`, MAX_FILE);
      return Buffer.from(bytes).toString("utf8").trim();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TsignError("auth", `find ${NAME}: ${reason}`, { hint, cause });
    }
  };
  const token = () => read("token");
  await token();
  return { server, ca: await read("ca.crt"), token };
}

/**
 * Opens the API of the cluster that the program runs in, as a Pod. The token is read for each request.
 *
 * @throws TsignError "auth" outside a Pod, and in one without a token
 */
export async function ownCluster(io: TransportIo & Pick<Io, "env" | "files">): Promise<Cluster> {
  const hint = "run it in a Pod whose service account has a token: tsign admission manifests";
  const { server, ca, token } = await podAccess(io, hint);
  const tls = { ca };
  const peer = { service: "k8s", name: NAME } as const;
  const transport = createTransport(io, { tls, limits: LIMITS, peer });
  /** Sends a request. Statuses other than those that are expected are thrown. */
  const call = async (
    method: "GET" | "PUT" | "PATCH",
    path: string,
    { expected, body, type }: { expected: readonly number[]; body?: unknown; type?: string },
  ) => {
    const headers = {
      ...{ accept: "application/json", authorization: `Bearer ${await token()}` },
      ...(type === undefined ? {} : { "content-type": type }),
    };
    const url = new URL(path, server);
    const sent = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) };
    const { status, bytes } = await transport.read({ method, url, headers, ...sent }, MAX_OBJECT);
    if (expected.includes(status)) return { status, bytes, url };
    throw refused(status, { verb: method === "GET" ? "read" : "write", path, url });
  };
  return {
    async get(path) {
      const { status, bytes, url } = await call("GET", path, { expected: [200, 404] });
      if (status === 404) return undefined;
      const object = objectOf(bytes);
      if (object) return object;
      throw withFields(new TsignError("service", `read ${path} of ${NAME}: not a JSON object`), { status, url });
    },
    async changed(path, resourceVersion, signal) {
      const query = `watch=1&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${encodeURIComponent(resourceVersion)}`;
      const url = new URL(`${path}?${query}`, server);
      const stoppable = withParts(io, { signal: AbortSignal.any([io.signal, signal]) });
      const watching = createTransport(stoppable, { tls, limits: WATCH_LIMITS, peer });
      const headers = { accept: "application/json", authorization: `Bearer ${await token()}` };
      const { status, body, discard } = await watching.stream({ method: "GET", url, headers });
      // 410: the version is too old, so that there were changes.
      if (status !== 200 && status !== 410) {
        discard();
        throw refused(status, { verb: "watch", path, url });
      }
      // Any event will do: without bookmarks, none comes if nothing changes.
      for await (const piece of body) if (piece.length > 0) break;
      discard();
    },
    async put(path, body) {
      const asked = { expected: [200, 409], body, type: "application/json" };
      return (await call("PUT", path, asked)).status === 200;
    },
    async patch(path, body) {
      const asked = { expected: [200, 404, 409, 422], body, type: "application/json-patch+json" };
      return (await call("PATCH", path, asked)).status === 200;
    },
  };
}

function refused(status: number, { verb, path, url }: { verb: string; path: string; url: URL }): TsignError {
  const isForbidden = status === 401 || status === 403;
  const error = isForbidden
    ? new TsignError("auth", `${verb} ${path} of ${NAME}: permission denied (${status})`, {
        hint: "run `tsign admission manifests` with the flags of the service, and apply what it prints",
      })
    : new TsignError("service", `${verb} ${path} of ${NAME}: status ${status}`);
  return withFields(error, { status, url });
}

/**
 * An object or a page of a list. Not as strict as for untrusted JSON: the API server has written it, and one odd object in a list must
 * not hide the others. Without the reason of a failure: what is read may be a secret.
 */
function objectOf(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
