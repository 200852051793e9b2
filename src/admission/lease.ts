import { TsignError } from "../errors.ts";
import { objectAt } from "../format/json.ts";
import type { Io } from "../io/io.ts";
import type { Cluster } from "../services/kubernetes.ts";
import type { JsonObject } from "./review.ts";

/** How long a Lease is valid that its holder does not renew, in seconds. */
const DURATION = 15;

/**
 * Elects one of several replicas with a Lease (coordination.k8s.io/v1): the one whose name is in it, for as long as it renews it.
 * Clocks of replicas are not compared: a holder has gone when its Lease has not changed for its duration, as seen from here. Two
 * replicas may both believe to be elected for a moment, so what they do must be safe then.
 */
export class Lease {
  readonly #api: Pick<Cluster, "get" | "put">;
  readonly #io: Pick<Io, "now">;
  readonly #path: string;
  readonly #holder: string;
  #seen: { readonly version: string; readonly since: number } | undefined;

  /** @param of.path of the Lease; @param of.holder name of this replica, which no other has */
  constructor(api: Pick<Cluster, "get" | "put">, io: Pick<Io, "now">, of: { path: string; holder: string }) {
    this.#api = api;
    this.#io = io;
    this.#path = of.path;
    this.#holder = of.holder;
  }

  /**
   * Takes the Lease, or renews it.
   *
   * @returns whether this replica holds it
   * @throws TsignError "auth", "service" or "network"; "service" also without a Lease
   */
  async hold(): Promise<boolean> {
    const lease = await this.#read();
    const spec = objectAt(lease, "spec");
    const { holderIdentity: holder = "", leaseDurationSeconds: seconds = DURATION, leaseTransitions = 0 } = spec;
    const now = this.#io.now();
    const version = JSON.stringify([holder, spec["renewTime"]]);
    if (this.#seen?.version !== version) this.#seen = { version, since: now.getTime() };
    const isMine = holder === this.#holder;
    const hasGone = holder === "" || now.getTime() - this.#seen.since >= Number(seconds) * 1000;
    if (!isMine && !hasGone) return false;
    const time = microTime(now);
    const taken = isMine
      ? {}
      : { holderIdentity: this.#holder, acquireTime: time, leaseTransitions: Number(leaseTransitions) + 1 };
    const renewed = { ...spec, ...taken, leaseDurationSeconds: DURATION, renewTime: time };
    return this.#api.put(this.#path, { ...lease, spec: renewed });
  }

  /** Lets another replica take the Lease at once, if this one holds it. */
  async release(): Promise<void> {
    const lease = await this.#read();
    const spec = objectAt(lease, "spec");
    if (spec["holderIdentity"] !== this.#holder) return;
    await this.#api.put(this.#path, { ...lease, spec: { ...spec, holderIdentity: "", leaseDurationSeconds: 1 } });
  }

  async #read(): Promise<JsonObject> {
    const lease = await this.#api.get(this.#path);
    if (lease) return lease;
    throw new TsignError("service", `read ${this.#path} of Kubernetes: there is no such Lease`, {
      hint: "run `tsign admission manifests` and apply what it prints",
    });
  }
}

/** A time as Kubernetes writes it in a Lease (metav1.MicroTime). */
function microTime(at: Date): string {
  return `${at.toISOString().slice(0, -1)}000Z`;
}
