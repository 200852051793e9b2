import { TsignError } from "../errors.ts";
import { objectAt, textOf } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { Io, ServerTls } from "../io/io.ts";
import type { Cluster } from "../services/kubernetes.ts";
import type { JsonObject } from "./review.ts";
import { selfSigned, validityOf } from "./self-signed.ts";

/** The part of the cluster's API that is used. */
export type CertificateStore = Pick<Cluster, "get" | "put" | "patch">;

/** What the Secret contains. */
interface State {
  readonly secret: JsonObject;
  /** What is served. */
  readonly current: ServerTls | undefined;
  /** What will be served when the API server trusts it. */
  readonly next: ServerTls | undefined;
  /** The certificate that was served before, PEM; "" for none. Replicas may still serve it. */
  readonly previous: string;
  /** Since when the API server has been told of `next`; undefined if it has not. Milliseconds since the epoch. */
  readonly toldAt: number | undefined;
}

const CONFIGURATIONS = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"];
/** What is written into the Secret. */
const OWN_KEYS = new Set(["tls.crt", "tls.key", "next.crt", "next.key", "previous.crt"]);
const TOLD = "tsign.dev/next-certificate-known-since";
/** The API servers of a cluster need a moment to notice a changed configuration. Milliseconds. */
const SETTLE = 60_000;

/**
 * The service's certificate, in a Secret that all replicas read: made, and replaced before it ends, by the one that is elected.
 * A new certificate is trusted first and served later: it is written to the Secret, then to the webhook configurations, and takes
 * the place of the old one when the API servers have had the time to read them. The old one stays trusted until the replacement
 * after that. Every write says which version it replaces, so that two replicas that both believe to be elected do no harm.
 */
export class OwnCertificates {
  readonly #api: CertificateStore;
  readonly #io: Pick<Io, "now" | "random">;
  readonly #service: { readonly namespace: string; readonly name: string };
  readonly #lifetime: number;
  readonly #names: readonly string[];
  readonly #path: string;

  /** @param of.service the Service, whose webhook configurations have its name; @param of.lifetime milliseconds */
  constructor(
    api: CertificateStore,
    io: Pick<Io, "now" | "random">,
    of: { service: { namespace: string; name: string }; lifetime: number },
  ) {
    const { namespace, name } = of.service;
    this.#api = api;
    this.#io = io;
    this.#service = of.service;
    this.#lifetime = of.lifetime;
    this.#names = [`${name}.${namespace}.svc`];
    this.#path = `/api/v1/namespaces/${namespace}/secrets/${name}-tls`;
  }

  /** The certificate to serve with; undefined if none has been made that can be used. @throws TsignError of the cluster's API */
  async read(): Promise<ServerTls | undefined> {
    const { current } = await this.#state();
    return current && this.#isUsable(current) ? current : undefined;
  }

  /** PEM of all certificates that a replica may serve with, now and soon; "" for none. @throws TsignError of the cluster's API */
  async trusted(): Promise<string> {
    return trustedOf(await this.#state());
  }

  /**
   * Does what is due; for the elected replica.
   *
   * @returns what was done, for a log
   * @throws TsignError of the cluster's API
   */
  async maintain(): Promise<string[]> {
    const state = await this.#state();
    const { current, next, toldAt } = state;
    const now = this.#io.now().getTime();
    if (!current || !this.#isUsable(current)) {
      const made = next && this.#isUsable(next) ? next : this.#make();
      return this.#write(
        { ...state, current: made, next: undefined, previous: "", toldAt: undefined },
        "certificate made",
      );
    }
    const ends = validityOf(current, this.#names)?.to ?? now;
    const isDue = ends - now < this.#lifetime / 3;
    if (isDue && !(next && this.#isUsable(next))) {
      return this.#write({ ...state, next: this.#make(), toldAt: undefined }, "next certificate made");
    }
    const done = await this.#tell(encoded(trustedOf(state)));
    if (!next) return done;
    if (toldAt === undefined || done.length > 0)
      return [...done, ...(await this.#write({ ...state, toldAt: now }, ""))];
    if (now - toldAt < Math.min(SETTLE, this.#lifetime / 10)) return done;
    const replaced = { ...state, current: next, next: undefined, previous: current.cert, toldAt: undefined };
    return [...done, ...(await this.#write(replaced, "certificate replaced"))];
  }

  #make(): ServerTls {
    return selfSigned(this.#io, { names: this.#names, lifetime: this.#lifetime });
  }

  #isUsable(tls: ServerTls): boolean {
    const now = this.#io.now().getTime();
    const validity = validityOf(tls, this.#names);
    return validity !== undefined && validity.from <= now && now < validity.to;
  }

  /** Writes the certificates that are trusted to the webhooks that call the service. A configuration that does not exist is left out. */
  async #tell(caBundle: string): Promise<string[]> {
    const { namespace, name } = this.#service;
    const done: string[] = [];
    for (const kind of CONFIGURATIONS) {
      const path = `/apis/admissionregistration.k8s.io/v1/${kind}/${name}`;
      const webhooks = (await this.#api.get(path))?.["webhooks"];
      const operations = (Array.isArray(webhooks) ? webhooks : []).flatMap((each: JsonObject, index) => {
        const client = objectAt(each, "clientConfig");
        const service = objectAt(client, "service");
        const isOurs = service["namespace"] === namespace && service["name"] === name;
        if (!isOurs || client["caBundle"] === caBundle) return [];
        const at = `/webhooks/${index}`;
        return [
          { op: "test", path: `${at}/name`, value: each["name"] },
          { op: "add", path: `${at}/clientConfig/caBundle`, value: caBundle },
        ];
      });
      if (operations.length === 0) continue;
      if (!(await this.#api.patch(path, operations))) throw changedMeanwhile(path);
      done.push(`${kind}: certificates of the authority written`);
    }
    return done;
  }

  async #state(): Promise<State> {
    const secret = await this.#api.get(this.#path);
    if (!secret) {
      throw new TsignError("service", `read ${this.#path} of Kubernetes: there is no such Secret`, {
        hint: "run `tsign admission manifests` and apply what it prints",
      });
    }
    const data = objectAt(secret, "data");
    const text = (key: string) => Buffer.from(textOf(data[key]), "base64").toString("latin1");
    const pair = (name: string) =>
      text(`${name}.crt`) === "" ? undefined : { cert: text(`${name}.crt`), key: text(`${name}.key`) };
    const told = Date.parse(textOf(annotationsOf(secret)[TOLD]));
    return {
      ...{ secret, current: pair("tls"), next: pair("next"), previous: text("previous.crt") },
      toldAt: Number.isNaN(told) ? undefined : told,
    };
  }

  async #write({ secret, current, next, previous, toldAt }: State, done: string): Promise<string[]> {
    const texts = {
      ...(current ? { "tls.crt": current.cert, "tls.key": current.key } : {}),
      ...(next ? { "next.crt": next.cert, "next.key": next.key } : {}),
      ...(previous === "" ? {} : { "previous.crt": previous }),
    };
    const { type } = secret;
    if (type !== undefined && type !== "Opaque") {
      throw new TsignError("service", `write ${this.#path} of Kubernetes: it is of type ${printable(String(type))}`, {
        hint: "another program keeps it: delete it, then apply what `tsign admission manifests` prints",
      });
    }
    const others = Object.entries(objectAt(secret, "data")).filter(([key]) => !OWN_KEYS.has(key));
    const data = Object.fromEntries([...others, ...Object.entries(texts).map(([key, text]) => [key, encoded(text)])]);
    const { [TOLD]: _, ...kept } = annotationsOf(secret);
    const annotations = toldAt === undefined ? kept : { ...kept, [TOLD]: new Date(toldAt).toISOString() };
    const isWritten = await this.#api.put(this.#path, {
      ...secret,
      metadata: { ...objectAt(secret, "metadata"), annotations },
      data,
    });
    if (!isWritten) throw changedMeanwhile(this.#path);
    return done === "" ? [] : [done];
  }
}

/** All certificates that a replica may serve with. */
function trustedOf({ previous, current, next }: State): string {
  return [previous, current?.cert ?? "", next?.cert ?? ""].join("");
}

function annotationsOf(object: JsonObject): JsonObject {
  return objectAt(objectAt(object, "metadata"), "annotations");
}

function changedMeanwhile(path: string): TsignError {
  return new TsignError("service", `write ${path} of Kubernetes: it was changed meanwhile`, { hint: "try again" });
}

function encoded(text: string): string {
  return Buffer.from(text, "latin1").toString("base64");
}
