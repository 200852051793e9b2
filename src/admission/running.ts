import { TsignError } from "../errors.ts";
import { type Digest, isDigest } from "../format/digest.ts";
import { isObject, objectAt, textOf } from "../format/json.ts";
import type { JsonObject } from "./review.ts";
import { questionOf } from "./workloads.ts";

/** An image that runs, or is about to, in at least one Pod. */
export interface RunningImage {
  /** As the Pods name it. */
  readonly image: string;
  /** What the containers were started from, as the kubelet reports it; undefined where none has started. */
  readonly digest: Digest | undefined;
  /** `namespace/pod/container`, or the name of an image volume in place of the container's. */
  readonly places: readonly string[];
  /** Why it is not known what runs. */
  readonly unknown: string | undefined;
}

/** Kubernetes' lists of containers, with those of their states. */
const STATES: Readonly<Record<string, string>> = {
  containers: "containerStatuses",
  initContainers: "initContainerStatuses",
  ephemeralContainers: "ephemeralContainerStatuses",
};
/** Phases of Pods of which no container runs any more. */
const ENDED = new Set(["Succeeded", "Failed"]);

/** Collects the images of Pods: each with the digest that runs, once, with the places where it does. */
export class RunningImages {
  readonly #found = new Map<string, RunningImage & { readonly places: string[] }>();
  /** Number of Pods that run or are about to, and of those that have ended. */
  pods = 0;
  ended = 0;

  get images(): readonly RunningImage[] {
    return [...this.#found.values()];
  }

  /** Adds a Pod, as a list of the API server has it: without its kind. */
  add(pod: JsonObject): void {
    const metadata = objectAt(pod, "metadata");
    const status = objectAt(pod, "status");
    if (ENDED.has(textOf(status["phase"]))) {
      this.ended++;
      return;
    }
    this.pods++;
    const name = `${textOf(metadata["namespace"])}/${textOf(metadata["name"])}`;
    const asked = questionOf({
      ...{ uid: "", operation: "CREATE", kind: "/Pod", resource: "/pods", subResource: "" },
      ...{ namespace: "", name: "", user: "", dryRun: true, object: pod, oldObject: undefined },
    });
    if (asked.kind === "unreadable") {
      this.#keep("", name, {
        digest: undefined,
        unknown: `its specification cannot be read: ${asked.faults.join("; ")}`,
      });
    }
    if (asked.kind !== "images") return;
    for (const { image, pointer } of asked.images) {
      const [, , list = "", index = ""] = pointer.split("/");
      const own = itemAt(pod["spec"], list, Number(index));
      const found = list === "volumes" ? volumeState(status, textOf(own["name"])) : containerState(status, list, own);
      this.#keep(image, `${name}/${textOf(own["name"])}`, runs(image, found));
    }
  }

  #keep(image: string, place: string, { digest, unknown }: Pick<RunningImage, "digest" | "unknown">): void {
    const key = JSON.stringify([image, digest, unknown, image === "" ? place : ""]);
    const known = this.#found.get(key) ?? { image, digest, unknown, places: [] };
    this.#found.set(key, known);
    known.places.push(place);
  }
}

function itemAt(spec: unknown, list: string, index: number): JsonObject {
  const items = isObject(spec) ? spec[list] : undefined;
  const item: unknown = Array.isArray(items) ? items[index] : undefined;
  return isObject(item) ? item : {};
}

/** What is reported of a container or a volume. */
interface State {
  /** The image's id: `registry/repository@sha256:…`, or that of a configuration; "" if none is reported. */
  readonly id: string;
  readonly started: boolean;
}

function containerState(status: JsonObject, list: string, { name }: JsonObject): State {
  const states = status[STATES[list] ?? ""];
  const own: unknown = Array.isArray(states)
    ? states.find((each) => isObject(each) && each["name"] === name)
    : undefined;
  // A Pod that runs has started its containers, whether or not that is reported.
  if (!isObject(own)) return { id: "", started: textOf(status["phase"]) === "Running" };
  const hasRun = (state: unknown) => isObject(state) && (isObject(state["running"]) || isObject(state["terminated"]));
  return { id: textOf(own["imageID"]), started: hasRun(own["state"]) || hasRun(own["lastState"]) };
}

/** The state of an image volume, which newer clusters report with the containers that mount it. */
function volumeState(status: JsonObject, name: string): State {
  let id = "";
  for (const list of Object.values(STATES)) {
    for (const container of objects(status[list])) {
      for (const mount of objects(container["volumeMounts"])) {
        const state = mount["volumeStatus"];
        const image = isObject(state) ? state["image"] : undefined;
        if (mount["name"] === name && isObject(image)) id ||= textOf(image["imageRef"]);
      }
    }
  }
  return { id, started: textOf(status["phase"]) === "Running" };
}

function objects(list: unknown): JsonObject[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** What runs. The digest that is reported counts, not the one that is named: a Pod's image can be changed. */
function runs(image: string, { id, started }: State): Pick<RunningImage, "digest" | "unknown"> {
  const reported = digestIn(id);
  if (reported !== undefined) return { digest: reported, unknown: undefined };
  // Its digest is that of an image's configuration, or it is not reported.
  if ((started || id !== "") && digestIn(image) === undefined) {
    return { digest: undefined, unknown: "the kubelet reports no digest of a registry for it" };
  }
  return { digest: undefined, unknown: undefined };
}

/** The digest of `repository@digest`. */
function digestIn(reference: string): Digest | undefined {
  const at = reference.lastIndexOf("@");
  const digest = at === -1 ? "" : reference.slice(at + 1);
  return isDigest(digest) ? digest : undefined;
}

/** The part of a cluster's API that is used. */
export interface ClusterList {
  /**
   * Sends a GET request.
   *
   * @param path with its query: `/api/v1/pods?limit=500`
   * @throws TsignError "network", "timeout", "service" or "limit"
   */
  get(path: string): Promise<{ readonly status: number; readonly body: JsonObject }>;
}

/** Pods in one answer of the API server. */
const PAGE = 250;
/** How often a list is read from its start, after one that took so long that the API server has forgotten it. */
const ATTEMPTS = 3;

/**
 * Reads the Pods of a namespace, or of all.
 *
 * @param at.namespace "" for all; @param at.selector a label selector, "" for all
 * @throws TsignError "auth" if it is not allowed, "input" for a namespace that does not exist and for a selector that is refused, and the
 *   errors of `get`
 */
export async function readRunning(
  cluster: ClusterList,
  at: { namespace: string; selector: string },
): Promise<RunningImages> {
  for (let attempt = 1; ; attempt++) {
    const found = await readPages(cluster, at);
    if (found === "expired" && attempt < ATTEMPTS) continue;
    if (found === "expired")
      throw new TsignError("service", `list ${nameOf(at)}: the list expired`, { hint: "try again" });
    if (found.pods + found.ended === 0 && at.namespace !== "") await requireNamespace(cluster, at.namespace);
    return found;
  }
}

async function readPages(
  cluster: ClusterList,
  at: { namespace: string; selector: string },
): Promise<RunningImages | "expired"> {
  const found = new RunningImages();
  const path = at.namespace === "" ? "/api/v1/pods" : `/api/v1/namespaces/${encodeURIComponent(at.namespace)}/pods`;
  for (let next = ""; ; ) {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (at.selector !== "") query.set("labelSelector", at.selector);
    if (next !== "") query.set("continue", next);
    const { status, body } = await cluster.get(`${path}?${query}`);
    if (status === 410 && next !== "") return "expired";
    if (status !== 200) throw refused(`list ${nameOf(at)}`, status, body);
    const { items, metadata } = body;
    if (!Array.isArray(items) || !items.every(isObject)) {
      throw new TsignError("service", `list ${nameOf(at)}: invalid response of the API server`);
    }
    for (const pod of items) found.add(pod);
    next = isObject(metadata) ? textOf(metadata["continue"]) : "";
    if (next === "") return found;
  }
}

/** Whether a namespace exists: the API server lists nothing for one that does not. */
async function requireNamespace(cluster: ClusterList, namespace: string): Promise<void> {
  const { status } = await cluster.get(`/api/v1/namespaces/${encodeURIComponent(namespace)}`);
  if (status !== 404) return;
  throw new TsignError("input", `list ${nameOf({ namespace })}: there is no such namespace`, {
    hint: "run `kubectl get namespaces` to list them",
  });
}

/** `Pods in namespace "shop"`, as messages say it. */
export function nameOf({ namespace }: { namespace: string }): string {
  return namespace === "" ? "Pods of all namespaces" : `Pods in namespace "${namespace}"`;
}

function refused(what: string, status: number, body: JsonObject): TsignError {
  const reason = textOf(body["message"]).slice(0, 300) || `status ${status}`;
  if (status === 401) {
    const hint = "check the user of the kubeconfig: `kubectl auth whoami`";
    return new TsignError("auth", `${what}: the API server refused the credentials (401)`, { hint });
  }
  if (status === 403) {
    const hint = "allow the verb `list` on pods, or pass --namespace for those that you may list";
    return new TsignError("auth", `${what}: permission denied (403): ${reason}`, { hint });
  }
  if (status === 400) return new TsignError("input", `${what}: ${reason}`);
  return new TsignError("service", `${what}: status ${status}: ${reason}`);
}
