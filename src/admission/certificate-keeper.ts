import { TsignError } from "../errors.ts";
import type { Io, ServerTls } from "../io/io.ts";
import { Lease } from "./lease.ts";
import { type CertificateStore, OwnCertificates } from "./own-certificates.ts";

export interface KeeperOptions {
  /** The Service that is called; its Lease and webhook configurations have its name. */
  readonly service: { readonly namespace: string; readonly name: string };
  /** How long a certificate is valid, in milliseconds. */
  readonly lifetime: number;
  /** Receives each log entry. */
  readonly log: (entry: Readonly<Record<string, unknown>>) => void;
}

/** Longest time between two looks at the Lease: a few of them must be missed before another replica takes it. Milliseconds. */
const INTERVAL = 5000;
/** The first task, for the log. */
const CERTIFICATE = "keep the certificate";
/** How long a new replica waits for its certificate, and between two looks. Milliseconds. */
const [FIRST_WITHIN, FIRST_EVERY] = [60_000, 500];

/** Keeps the certificate of the service: the elected replica makes and replaces it, and all read it. */
export class CertificateKeeper {
  readonly #io: Pick<Io, "now" | "sleep">;
  readonly #lease: Lease;
  readonly #certificates: OwnCertificates;
  readonly #log: KeeperOptions["log"];
  readonly #tasks = new Map<string, () => Promise<void>>();
  #isElected = false;
  /** The failures that were logged last, so that each is logged once. */
  readonly #failures = new Map<string, string>();

  constructor(api: CertificateStore, io: Pick<Io, "now" | "random" | "sleep" | "env">, options: KeeperOptions) {
    const { service, lifetime, log } = options;
    const { namespace, name } = service;
    // Kubernetes sets HOSTNAME to the name of the Pod, which may be started again.
    const holder = `${io.env["HOSTNAME"] ?? name}_${Buffer.from(io.random(8)).toString("hex")}`;
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
    this.#io = io;
    this.#lease = new Lease(api, io, { path, holder });
    this.#certificates = new OwnCertificates(api, io, { service, lifetime });
    this.#log = log;
  }

  /**
   * Waits for the first certificate. A new cluster has none yet; then the elected replica makes it.
   *
   * @throws TsignError of the cluster's API; "timeout" if there is none for a minute
   */
  async wait(signal: AbortSignal): Promise<void> {
    const until = this.#io.now().getTime() + FIRST_WITHIN;
    for (;;) {
      signal.throwIfAborted();
      try {
        await this.#step();
        if (await this.#certificates.read()) return;
      } catch (error) {
        const isTemporary = error instanceof TsignError && error.code !== "auth" && error.code !== "internal";
        if (!isTemporary || this.#io.now().getTime() > until) throw error;
        this.#report(error);
      }
      if (this.#io.now().getTime() > until) {
        throw new TsignError("timeout", `no certificate within ${FIRST_WITHIN / 1000} s`, {
          hint: "read the log of the replica that the Lease names",
        });
      }
      await this.#io.sleep(FIRST_EVERY, signal);
    }
  }

  /** The certificate to serve with now. @throws TsignError */
  async read(): Promise<ServerTls> {
    const found = await this.#certificates.read();
    if (found) return found;
    throw new TsignError("service", "read the certificate to serve with: there is no usable one");
  }

  /** PEM of all certificates that a replica may serve with. @throws TsignError */
  trusted(): Promise<string> {
    return this.#certificates.trusted();
  }

  /** Takes part in the election, and does what is due if elected, until it is stopped. @param every milliseconds */
  async run(every: number, signal: AbortSignal): Promise<void> {
    const stopped = () =>
      this.#io.sleep(Math.min(every, INTERVAL), signal).then(
        () => false,
        () => true,
      );
    while (!(await stopped())) {
      try {
        await this.#step();
        this.#failures.delete(CERTIFICATE);
      } catch (error) {
        this.#report(error);
      }
      await this.#others();
    }
  }

  /**
   * Gives the elected replica another task, which is done at each look.
   *
   * @param name for the log, as in `keep the certificate`
   */
  alsoDo(name: string, task: () => Promise<void>): void {
    this.#tasks.set(name, task);
  }

  /** Lets another replica go on. Never throws: the Lease runs out too. */
  async leave(): Promise<void> {
    if (this.#isElected) await this.#lease.release().catch(() => {});
  }

  #report(error: unknown, task = CERTIFICATE): void {
    const text = error instanceof Error ? error.message : String(error);
    if (text !== this.#failures.get(task)) this.#log({ level: "error", message: `${task}: ${text}` });
    this.#failures.set(task, text);
  }

  /** Does the other tasks. None keeps another one, or the certificate, from being done. */
  async #others(): Promise<void> {
    for (const [name, task] of this.#isElected ? this.#tasks : []) {
      try {
        await task();
        this.#failures.delete(name);
      } catch (error) {
        this.#report(error, name);
      }
    }
  }

  async #step(): Promise<void> {
    const was = this.#isElected;
    this.#isElected = false;
    this.#isElected = await this.#lease.hold();
    if (was !== this.#isElected) this.#log({ level: "info", message: this.#isElected ? "elected" : "not elected" });
    if (!this.#isElected) return;
    for (const message of await this.#certificates.maintain()) this.#log({ level: "info", message });
  }
}
