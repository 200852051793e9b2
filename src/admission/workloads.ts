import { isObject } from "../format/json.ts";
import { folded } from "../sources/kubernetes.ts";
import type { JsonObject, Review } from "./review.ts";
import { escaped, type Workloads } from "./workload-paths.ts";

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
  readonly specs: readonly JsonObject[];
}

/** Where an object has its images. */
type Place =
  /** `path` are the fields that lead to the specification of its Pods. */
  | { readonly path: readonly string[]; readonly isPod: boolean }
  /** Fields that lead to templates or specifications of its Pods; `*` is each value. */
  | { readonly paths: readonly (readonly string[])[] };

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
  /** `specs` are those of the Pod, or of those that are made from a template. */
  | { readonly kind: "images"; readonly images: readonly NamedImage[]; readonly specs: readonly JsonObject[] }
  | { readonly kind: "unreadable"; readonly faults: readonly string[] };

/**
 * Finds the images that a review asks to admit: those of the object that its old version did not have. A deletion, a scaled
 * workload, a changed label ask for nothing. An object of an unknown kind is unreadable: where its images are is not known.
 *
 * @param workloads where custom resources have theirs
 */
export function questionOf(review: Review, workloads: Workloads = new Map()): Question {
  const { operation, kind, subResource, object, oldObject } = review;
  if (operation === "DELETE") return { kind: "nothing", why: "deleted" };
  const place = placeOf(review, workloads);
  if (place === undefined) {
    if (operation === "CONNECT" || (subResource !== "" && WITHOUT_IMAGES.has(kind))) {
      return { kind: "nothing", why: "without images" };
    }
    return { kind: "unreadable", faults: [`it is not known where ${kindName(kind)} names its images`] };
  }
  if (object === undefined) return { kind: "unreadable", faults: ["missing object"] };
  const { images, faults, specs } = imagesOf(object, place);
  if (faults.length > 0) return { kind: "unreadable", faults };
  const old = operation === "UPDATE" && oldObject ? imagesOf(oldObject, place) : undefined;
  const known = new Set(old?.images.map(({ image }) => image));
  const asked = images.filter(({ image }) => !known.has(image));
  if (asked.length > 0) return { kind: "images", images: asked, specs };
  return { kind: "nothing", why: images.length === 0 ? "without images" : "unchanged" };
}

/** Undefined for a kind that is not known, also for that of a subresource of a custom resource (`scale`). */
function placeOf({ kind, resource }: Review, workloads: Workloads): Place | undefined {
  const path = POD_SPECS.get(kind);
  if (path) return { path, isPod: kind === "/Pod" };
  const paths = workloads.get(resource);
  if (paths === undefined || kind.split("/")[0] !== resource.split("/")[0]) return undefined;
  return { paths: paths.map(({ fields }) => fields) };
}

/** A kind as people write it: `Pod`, `Rollout of argoproj.io`. */
export function kindName(kind: string): string {
  const [group = "", name = ""] = kind.split("/");
  return group === "" ? name : `${name} of ${group}`;
}

function imagesOf(object: JsonObject, at: Place): Images {
  const finder = new Finder("isPod" in at && at.isPod);
  if ("paths" in at) {
    for (const path of at.paths) finder.visit(object, path, "");
    return finder;
  }
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
  readonly specs: JsonObject[] = [];
  readonly #read = new Set<string>();
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

  /** Reads the templates or specifications of Pods to which a path leads; there may be none. */
  visit(value: unknown, [field, ...rest]: readonly string[], pointer: string): void {
    if (value === undefined || value === null) return;
    if (field === undefined) this.#template(value, pointer);
    else if (field !== "*") this.visit(this.field(value, field, pointer), rest, `${pointer}/${escaped(field)}`);
    else if (Array.isArray(value) || isObject(value)) {
      for (const [key, each] of Object.entries(value)) this.visit(each, rest, `${pointer}/${escaped(key)}`);
    } else this.#fault(pointer, "is not a list or an object");
  }

  #template(value: unknown, pointer: string): void {
    const [spec, containers] = ["spec", "containers"].map((name) => this.field(value, name, pointer));
    if (spec !== undefined && containers !== undefined) this.#fault(pointer, "has both spec and containers");
    else if (spec !== undefined) this.podSpec(spec, `${pointer}/spec`);
    else if (containers !== undefined) this.podSpec(value, pointer);
    else if (isObject(value)) this.#fault(pointer, "is not a Pod template or a Pod specification");
  }

  podSpec(spec: unknown, pointer: string): void {
    if (this.#read.has(pointer)) return;
    this.#read.add(pointer);
    if (isObject(spec)) this.specs.push(spec);
    if (this.specs.length > MAX_PODS) {
      if (this.specs.length === MAX_PODS + 1) this.#fault("", `has more than ${MAX_PODS} Pod templates`);
      return;
    }
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
    if (this.faults.length < MAX_FAULTS) this.faults.push(`${pointer.slice(1).replaceAll("/", ".")} ${reason}`.trim());
  }
}

/** Most Pod templates in an object; each may have its own credentials, which are looked up. */
const MAX_PODS = 100;
/** Most faults that are kept; one is enough to refuse. */
const MAX_FAULTS = 5;
