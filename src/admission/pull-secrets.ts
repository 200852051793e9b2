import { createHash } from "node:crypto";
import { TsignError } from "../errors.ts";
import { isObject, objectAt, parseJson } from "../format/json.ts";
import type { Io } from "../io/io.ts";
import { type DockerConfig, dockerConfigOf } from "../oci/registry/docker-config.ts";
import type { Cluster } from "../services/kubernetes.ts";
import { Kept } from "./kept.ts";
import type { JsonObject } from "./review.ts";

/** The credentials with which the images of one object are pulled. */
export interface PullScope {
  readonly configs: readonly DockerConfig[];
  /** Different for different credentials, and no secret; "" without any. */
  readonly id: string;
}

/** The credentials of an object without pull secrets. */
export const NO_SECRETS: PullScope = { configs: [], id: "" };

/** How long what was read, and what does not exist, is not asked for again. Milliseconds. */
const [KEEP_FOUND, KEEP_MISSING] = [30_000, 10_000];
const MOST_KEPT = 5000;
const MOST_SECRETS = 50;
/** Names of namespaces, Secrets and ServiceAccounts (RFC 1123 subdomains). */
const NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

/** Reads the pull secrets of Pods and of their service accounts, each once for a time. */
export class PullSecrets {
  readonly #api: Pick<Cluster, "get">;
  readonly #io: Pick<Io, "now">;
  readonly #kept = new Kept<{ readonly object: JsonObject | undefined }>(MOST_KEPT);
  readonly #reading = new Map<string, Promise<JsonObject | undefined>>();
  /** Secret of the process, so that an id says nothing about the credentials. */
  readonly #salt: Uint8Array;

  constructor(api: Pick<Cluster, "get">, io: Pick<Io, "now" | "random">) {
    this.#api = api;
    this.#io = io;
    this.#salt = io.random(32);
  }

  /**
   * The credentials of a Pod: its own `imagePullSecrets`, else those of its service account. A Secret that does not exist is left
   * out, as the kubelet does.
   *
   * @param specs of the Pod; of all Pods of an object that makes different ones
   * @throws TsignError "input" for a Secret or name that cannot be read; "auth", "service" and "network" of the cluster's API
   */
  async of(namespace: string, ...specs: readonly JsonObject[]): Promise<PullScope> {
    const names: string[] = [];
    for (const spec of specs) {
      const own = secretNames(spec["imagePullSecrets"], "imagePullSecrets");
      names.push(...(own.length > 0 ? own : await this.#ofAccount(namespace, spec)));
    }
    const configs: DockerConfig[] = [];
    const different = new Set(names);
    if (different.size > MOST_SECRETS) {
      throw new TsignError("input", `read imagePullSecrets: more than ${MOST_SECRETS} different ones`);
    }
    for (const name of different) {
      const secret = await this.#read(`/api/v1/namespaces/${checked(namespace)}/secrets/${name}`);
      if (secret) configs.push(configOf(secret, `${namespace}/${name}`));
    }
    if (configs.length === 0) return NO_SECRETS;
    const id = createHash("sha256").update(this.#salt).update(JSON.stringify(configs)).digest("hex");
    return { configs, id };
  }

  async #ofAccount(namespace: string, spec: JsonObject): Promise<string[]> {
    const name = spec["serviceAccountName"] || spec["serviceAccount"] || "default";
    const path = `/api/v1/namespaces/${checked(namespace)}/serviceaccounts/${checked(name)}`;
    const account = await this.#read(path);
    return secretNames(account?.["imagePullSecrets"], `imagePullSecrets of service account ${namespace}/${name}`);
  }

  async #read(path: string): Promise<JsonObject | undefined> {
    const now = this.#io.now().getTime();
    const kept = this.#kept.get(path, now);
    if (kept) return kept.object;
    const known = this.#reading.get(path);
    if (known) return known;
    const reading = this.#api.get(path).finally(() => this.#reading.delete(path));
    this.#reading.set(path, reading);
    const object = await reading;
    this.#kept.set(path, { object }, now + (object ? KEEP_FOUND : KEEP_MISSING));
    return object;
  }
}

function secretNames(list: unknown, where: string): string[] {
  const items = list ?? [];
  if (!Array.isArray(items)) throw new TsignError("input", `read ${where}: not a list`);
  if (items.length > MOST_SECRETS) throw new TsignError("input", `read ${where}: more than ${MOST_SECRETS}`);
  // An entry without a name is ignored, as by the kubelet.
  return items.flatMap((each) => (isObject(each) && each["name"] ? [checked(each["name"])] : []));
}

/** A name that is put into a path of the API. @throws TsignError "input" */
function checked(name: unknown): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw new TsignError("input", `read pull secrets: invalid name: ${JSON.stringify(name)?.slice(0, 100)}`);
}

/** The credentials in a Secret of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg. */
function configOf(secret: JsonObject, name: string): DockerConfig {
  const data = objectAt(secret, "data");
  const [field, isOld] =
    secret["type"] === "kubernetes.io/dockercfg"
      ? ([".dockercfg", true] as const)
      : ([".dockerconfigjson", false] as const);
  const text = data[field];
  if (typeof text !== "string") throw new TsignError("input", `read secret ${name}: missing ${field}`);
  let value: unknown;
  try {
    value = parseJson(Buffer.from(text, "base64"), field);
  } catch {
    // Its text, which an error may quote, is a secret.
    throw new TsignError("input", `read secret ${name}: ${field} is not valid JSON`);
  }
  const { auths } = dockerConfigOf(isOld ? { auths: value } : value, `${field} in secret ${name}`);
  return { auths };
}
