import { isObject } from "../format/json.ts";
import { folded } from "../sources/kubernetes.ts";
import type { JsonObject, Review } from "./review.ts";

/** An image in an object. */
export interface NamedImage {
  /** As it is written there. */
  readonly image: string;
  /** JSON pointer (RFC 6901) of the text, for a patch. */
  readonly pointer: string;
}

/** The images of an object, and what in it cannot be read. */
interface Images {
  readonly images: readonly NamedImage[];
  readonly faults: readonly string[];
  readonly spec?: JsonObject | undefined;
}

const TEMPLATE = ["spec", "template", "spec"];
/** Where the specification of a Pod is, by `group/Kind`. */
const POD_SPECS: ReadonlyMap<string, readonly string[]> = new Map([
  ["/Pod", ["spec"]],
  ["/PodTemplate", ["template", "spec"]],
  ["/ReplicationController", TEMPLATE],
  ["apps/DaemonSet", TEMPLATE],
  ["apps/Deployment", TEMPLATE],
  ["apps/ReplicaSet", TEMPLATE],
  ["apps/StatefulSet", TEMPLATE],
  ["batch/Job", TEMPLATE],
  ["batch/CronJob", ["spec", "jobTemplate", ...TEMPLATE]],
]);
/** What subresources have in place of the object; none of them contains an image. */
const WITHOUT_IMAGES = new Set([
  "/Binding",
  "/PodAttachOptions",
  "/PodExecOptions",
  "/PodPortForwardOptions",
  "/PodProxyOptions",
  "authentication.k8s.io/TokenRequest",
  "autoscaling/Scale",
  "policy/Eviction",
]);
const LISTS = ["initContainers", "containers", "ephemeralContainers"];
/** Longest text of an image; the longest valid reference has less than 600 characters. */
const MAX_IMAGE = 4096;

/** What a review asks about: nothing, images, or something that cannot be read. */
export type Question =
  | { readonly kind: "nothing"; readonly why: "deleted" | "without images" | "unchanged" }
  /** `spec` is that of the Pod, or of those that are made from a template. */
  | { readonly kind: "images"; readonly images: readonly NamedImage[]; readonly spec: JsonObject }
  | { readonly kind: "unreadable"; readonly faults: readonly string[] };

/**
 * Finds the images that a review asks to admit: those of the object that its old version did not have. A deletion, a scaled
 * workload, a changed label ask for nothing. An object of an unknown kind is unreadable: where its images are is not known.
 */
export function questionOf(review: Review): Question {
  const { operation, kind, subResource, object, oldObject } = review;
  if (operation === "DELETE") return { kind: "nothing", why: "deleted" };
  const path = POD_SPECS.get(kind);
  if (path === undefined) {
    if (operation === "CONNECT" || (subResource !== "" && WITHOUT_IMAGES.has(kind))) {
      return { kind: "nothing", why: "without images" };
    }
    return { kind: "unreadable", faults: [`it is not known where ${kindName(kind)} names its images`] };
  }
  if (object === undefined) return { kind: "unreadable", faults: ["missing object"] };
  const { images, faults, spec = {} } = imagesOf(object, { path, isPod: kind === "/Pod" });
  if (faults.length > 0) return { kind: "unreadable", faults };
  const old = operation === "UPDATE" && oldObject ? imagesOf(oldObject, { path, isPod: kind === "/Pod" }) : undefined;
  const known = new Set(old?.images.map(({ image }) => image));
  const asked = images.filter(({ image }) => !known.has(image));
  if (asked.length > 0) return { kind: "images", images: asked, spec };
  return { kind: "nothing", why: images.length === 0 ? "without images" : "unchanged" };
}

/** A kind as people write it: `Pod`, `Rollout of argoproj.io`. */
export function kindName(kind: string): string {
  const [group = "", name = ""] = kind.split("/");
  return group === "" ? name : `${name} of ${group}`;
}

/** Finds the images of an object. @param at.path fields that lead to the specification of its Pods */
function imagesOf(object: JsonObject, at: { path: readonly string[]; isPod: boolean }): Images {
  const finder = new Finder(at.isPod);
  let value: unknown = object;
  let pointer = "";
  for (const [index, field] of at.path.entries()) {
    value = finder.field(value, field, pointer);
    pointer += `/${field}`;
    // A ReplicationController may have no template; then it starts no Pods.
    if (value === undefined && !at.isPod && index === 1 && at.path.length === TEMPLATE.length) return finder;
  }
  finder.podSpec(value, pointer);
  return finder;
}

class Finder implements Images {
  readonly images: NamedImage[] = [];
  readonly faults: string[] = [];
  spec: JsonObject | undefined;
  readonly #isPod: boolean;

  /** @param isPod whether a missing image is a fault: a Pod needs every image, a template may be completed later */
  constructor(isPod: boolean) {
    this.#isPod = isPod;
  }

  /** The value of a field; undefined if it is absent or null. A key that only differs in case is a fault: parsers disagree on it. */
  field(of: unknown, name: string, pointer: string): unknown {
    if (!isObject(of)) {
      this.#fault(pointer, "is not an object");
      return undefined;
    }
    const other = Object.keys(of).find((key) => key !== name && folded(key) === name.toLowerCase());
    if (other !== undefined)
      this.#fault(pointer, `has the field ${JSON.stringify(other.slice(0, 50))}, want "${name}"`);
    return of[name] ?? undefined;
  }

  podSpec(spec: unknown, pointer: string): void {
    this.spec = isObject(spec) ? spec : undefined;
    for (const name of LISTS) {
      const list = this.field(spec, name, pointer);
      if (list === undefined && name === "containers") this.#fault(`${pointer}/${name}`, "is missing");
      this.#each(list, `${pointer}/${name}`, (item, at) => this.#image(this.field(item, "image", at), `${at}/image`));
    }
    const volumes = this.field(spec, "volumes", pointer);
    this.#each(volumes, `${pointer}/volumes`, (item, at) => {
      const image = this.field(item, "image", at);
      if (image === undefined) return;
      this.#image(this.field(image, "reference", `${at}/image`), `${at}/image/reference`);
    });
  }

  #each(list: unknown, pointer: string, visit: (item: unknown, at: string) => void): void {
    if (list === undefined) return;
    if (Array.isArray(list)) for (const [index, item] of list.entries()) visit(item, `${pointer}/${index}`);
    else this.#fault(pointer, "is not a list");
  }

  #image(image: unknown, pointer: string): void {
    if (image === undefined || image === "") {
      if (this.#isPod) this.#fault(pointer, "is missing");
    } else if (typeof image !== "string") this.#fault(pointer, "is not a string");
    else if (image.length > MAX_IMAGE) this.#fault(pointer, `has more than ${MAX_IMAGE} characters`);
    else this.images.push({ image, pointer });
  }

  #fault(pointer: string, reason: string): void {
    if (this.faults.length < MAX_FAULTS) this.faults.push(`${pointer.slice(1).replaceAll("/", ".")} ${reason}`);
  }
}

/** Most faults that are kept; one is enough to refuse. */
const MAX_FAULTS = 5;
