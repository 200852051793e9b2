import { TsignError } from "../errors.ts";
import { isObject, objectAt, textOf } from "../format/json.ts";
import type { Io } from "../io/io.ts";
import type { RegistryOptions } from "../oci/open.ts";
import type { Cluster } from "../services/kubernetes.ts";
import { readTrustPolicy } from "../trust-policy/read.ts";
import { PolicySources } from "../trust-policy/sources.ts";
import { type Loaded, loadPolicy } from "./live-policy.ts";
import {
  POLICY_GROUP,
  POLICY_KINDS,
  POLICY_VERSION,
  type PolicyKind,
  type PolicyObject,
  policyObjectOf,
  requireSelfContained,
} from "./policy-objects.ts";
import { type Reported, storedOf } from "./policy-status.ts";
import type { JsonObject, Review } from "./review.ts";

/** A policy of an object, or why it cannot be used. Then nothing in its scope is admitted. */
export type ClusterPolicy = { readonly name: string; readonly namespace: string } & (
  | { readonly loaded: Loaded }
  | { readonly error: TsignError }
);

export interface ClusterPoliciesOptions {
  /** How registries are asked now. */
  readonly registry: () => RegistryOptions;
  readonly warn: (text: string) => void;
  /** Receives each log entry. */
  readonly log: (entry: Readonly<Record<string, unknown>>) => void;
}

/** Most objects that are used for one Pod, and that are opened for one namespace. */
const MOST_POLICIES = 50;
/** Objects in one answer: a list of all could be too large for one, and whoever may write objects would keep others from being read. */
const PAGE = 10;
/** How long trusted roots are used before they are opened anew, and the pause after a failure. Milliseconds. */
const [REFRESH_AFTER, RETRY_AFTER] = [10 * 60_000, 2000];
/** Changes that come together are read together. Milliseconds. */
const SETTLE = 100;
const KINDS = Object.keys(POLICY_KINDS) as PolicyKind[];

interface Known {
  readonly content: string;
  readonly until: number;
  readonly policy: ClusterPolicy;
}

/** A policy with its object, of which parts other than the policy may be newer. */
type Listed = Known & Pick<Reported, "stored">;

/**
 * The policies of TsignPolicy and ClusterTsignPolicy objects, watched. They are demanded besides the service's own, which they
 * cannot weaken. While the cluster's API does not answer, those that were read last are demanded.
 */
export class ClusterPolicies {
  readonly #api: Pick<Cluster, "get" | "changed">;
  readonly #io: Io;
  readonly #options: ClusterPoliciesOptions;
  #known = new Map<string, Listed>();
  #loads = 0;

  constructor(api: Pick<Cluster, "get" | "changed">, io: Io, options: ClusterPoliciesOptions) {
    this.#api = api;
    this.#io = io;
    this.#options = options;
  }

  /** What is demanded of images in a namespace; of those in any namespace for "". */
  for(namespace: string): readonly ClusterPolicy[] {
    const all = [...this.#known.values()].map(({ policy }) => policy);
    const found = all.filter((each) => each.namespace === "" || each.namespace === namespace);
    if (found.length <= MOST_POLICIES) {
      const registry = this.#options.registry();
      return found.map((each) => ("loaded" in each ? { ...each, loaded: { ...each.loaded, registry } } : each));
    }
    const error = new TsignError("limit", `${found.length} policies, more than ${MOST_POLICIES}`);
    return [{ name: "policies of the cluster", namespace, error }];
  }

  /** The objects as they were read last. */
  get reported(): readonly Reported[] {
    return [...this.#known.values()].map(({ stored, policy }) => ({
      ...{ stored, namespace: policy.namespace },
      error: "error" in policy ? policy.error : undefined,
    }));
  }

  /**
   * Reads the objects, and opens those that have changed.
   *
   * @returns the versions of the lists, to wait for changes
   * @throws TsignError of the cluster's API; then the earlier ones stay
   */
  async read(): Promise<ReadonlyMap<PolicyKind, string>> {
    const versions = new Map<PolicyKind, string>();
    const next = new Map<string, Listed>();
    const counts = new Map<string, number>();
    for (const kind of KINDS) {
      for await (const item of this.#items(kind, versions)) {
        const object = policyObjectOf(kind, item);
        const count = (counts.get(object.namespace) ?? 0) + 1;
        counts.set(object.namespace, count);
        const content =
          count > MOST_POLICIES ? new TsignError("limit", `${object.name} is one too many`) : object.content;
        next.set(object.name, { ...(await this.#open({ ...object, content })), stored: storedOf(kind, item) });
      }
    }
    for (const [name, { policy, content }] of next) {
      if (this.#known.get(name)?.content === content) continue;
      if ("error" in policy) this.#options.log({ level: "error", message: policy.error.message, policy: name });
      else this.#options.log({ level: "info", message: "policy loaded", policy: name });
    }
    for (const name of this.#known.keys()) {
      if (!next.has(name)) this.#options.log({ level: "info", message: "policy removed", policy: name });
    }
    this.#known = next;
    return versions;
  }

  /** The objects of a kind, page by page. @param versions receives the version of the list */
  async *#items(kind: PolicyKind, versions: Map<PolicyKind, string>): AsyncGenerator<JsonObject> {
    for (let next = ""; ; ) {
      const query = new URLSearchParams({ limit: String(PAGE), ...(next === "" ? {} : { continue: next }) });
      const list = await this.#api.get(`${pathOf(kind)}?${query}`);
      if (list === undefined || !Array.isArray(list["items"])) {
        throw new TsignError("service", `list ${POLICY_KINDS[kind]} of Kubernetes: there is no such kind`, {
          hint: "run `tsign admission manifests` and apply what it prints",
        });
      }
      const metadata = objectAt(list, "metadata");
      versions.set(kind, textOf(metadata["resourceVersion"]));
      for (const item of list["items"]) yield isObject(item) ? item : {};
      next = textOf(metadata["continue"]);
      if (next === "") return;
    }
  }

  /** Reads the objects again whenever they change, until it is stopped. @param versions of the lists that were read */
  async run(versions: ReadonlyMap<PolicyKind, string>, signal: AbortSignal): Promise<void> {
    let seen: ReadonlyMap<PolicyKind, string> | undefined = versions;
    let failure = "";
    while (!signal.aborted) {
      try {
        seen ??= await this.read();
        await this.#changes(seen, signal);
        await this.#io.sleep(SETTLE, signal);
        seen = await this.read();
        failure = "";
      } catch (error) {
        if (signal.aborted) return;
        const text = error instanceof Error ? error.message : String(error);
        if (text !== failure) this.#options.log({ level: "error", message: `the policies stay as they were: ${text}` });
        failure = text;
        seen = undefined;
        await this.#io.sleep(RETRY_AFTER, signal).catch(() => {});
      }
    }
  }

  /** Waits for a change of any list. */
  async #changes(versions: ReadonlyMap<PolicyKind, string>, signal: AbortSignal): Promise<void> {
    const others = new AbortController();
    const both = AbortSignal.any([signal, others.signal]);
    const waiting = KINDS.map((kind) => this.#api.changed(pathOf(kind), versions.get(kind) ?? "", both));
    try {
      await Promise.race(waiting);
    } finally {
      others.abort(new TsignError("cancelled", "read again"));
      await Promise.allSettled(waiting);
    }
  }

  /**
   * Checks an object before it is stored.
   *
   * @throws TsignError "input" or "limit" for one that cannot be used
   */
  async check({ kind, object = {}, namespace: asked }: Pick<Review, "kind" | "object" | "namespace">): Promise<void> {
    const { name, namespace, content } = policyObjectOf(
      kind.endsWith("/TsignPolicy") ? "TsignPolicy" : "ClusterTsignPolicy",
      object,
      asked,
    );
    if (content instanceof TsignError) throw content;
    const policy = await readTrustPolicy(content, name);
    requireSelfContained(policy, namespace);
    const sources = new PolicySources(this.#io, policy, () => {});
    await sources.deniedKeys();
    for (const signer of policy.signers.values()) if (signer.kind === "key") await sources.key(signer.reference);
  }

  async #open({ name, namespace, content: bytes }: PolicyObject): Promise<Known> {
    const now = this.#io.now().getTime();
    if (bytes instanceof TsignError) {
      return { content: bytes.message, until: now, policy: { name, namespace, error: bytes } };
    }
    const content = Buffer.from(bytes).toString();
    const known = this.#known.get(name);
    const isSame = known?.content === content;
    if (known && isSame && now < known.until) return known;
    const until = now + REFRESH_AFTER;
    await this.#io.sleep(0); // others are answered between two objects
    try {
      const { registry, warn } = this.#options;
      const loaded = await loadPolicy(this.#io, {
        ...{ origin: { registry: registry(), warn }, content: bytes, path: name, id: --this.#loads },
        check: (policy) => requireSelfContained(policy, namespace),
      });
      return { content, until, policy: { name, namespace, loaded: withoutLines(loaded, name) } };
    } catch (error) {
      const isInvalid = error instanceof TsignError && error.code === "untrusted";
      if (known && isSame && "loaded" in known.policy && !isInvalid) return { ...known, until: now + RETRY_AFTER };
      const readable = error instanceof TsignError ? error : new TsignError("internal", `read ${name}: internal error`);
      return { content, until: now + RETRY_AFTER, policy: { name, namespace, error: readable } };
    }
  }
}

/** An object has no lines that a person could look up: rules are named by the object. */
function withoutLines(loaded: Loaded, name: string): Loaded {
  const rules = loaded.policy.rules.map((rule) => ({ ...rule, place: name }));
  return { ...loaded, policy: { ...loaded.policy, rules } };
}

function pathOf(kind: PolicyKind): string {
  return `/apis/${POLICY_GROUP}/${POLICY_VERSION}/${POLICY_KINDS[kind]}`;
}
