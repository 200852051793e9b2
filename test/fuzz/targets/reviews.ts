import { tmpdir } from "node:os";
import fc from "fast-check";
import { Decider } from "../../../src/admission/decider.ts";
import { LivePolicy } from "../../../src/admission/live-policy.ts";
import { AdmissionService } from "../../../src/admission/service.ts";
import { readWorkloads } from "../../../src/admission/workload-paths.ts";
import { PLAIN_REGISTRY } from "../../../src/oci/open.ts";
import { testIo } from "../../support/test-io.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Outcome, type Target } from "../target.ts";
import { bytesOf, type Node, treeOfJson } from "../tree.ts";

type Json = Record<string, unknown>;

/** The policy accepts images of one repository by their names, so that no registry is asked. */
const POLICY = `version: 1\nrules: [{images: "r.example/good", insecureAcceptAnything: true}]\n`;
const GOOD = "r.example/good:1";
const GOOD_NAME = /^r\.example\.?(?::0*443)?\/+good\/*(?:[:@].*)?$/i;
const BAD = "r.example/bad:1";

const containers = (...images: readonly string[]) => images.map((image, index) => ({ name: `c${index}`, image }));
const POD = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", annotations: { note: BAD } } };
const spec = (more: Json = {}) => ({ containers: containers(GOOD), ...more });
const template = { template: { metadata: {}, spec: spec() } };

/** Objects of every kind that names images, most of which are admitted. */
const OBJECTS: readonly [object: Json, request: Json][] = [
  [{ ...POD, spec: spec() }, {}],
  [{ ...POD, spec: spec({ initContainers: containers(GOOD, BAD) }) }, {}],
  [
    { ...POD, spec: spec({ ephemeralContainers: containers(GOOD) }) },
    { operation: "UPDATE", subResource: "ephemeralcontainers", oldObject: { ...POD, spec: spec() } },
  ],
  [{ ...POD, spec: spec({ volumes: [{ name: "v", image: { reference: GOOD } }, { name: "w" }] }) }, {}],
  [{ ...POD, spec: spec({ volumes: [{ name: "v", image: { reference: BAD } }] }) }, {}],
  [
    { ...POD, spec: { containers: containers(BAD) } },
    { operation: "UPDATE", oldObject: { ...POD, spec: { containers: containers(BAD) } } },
  ],
  [
    { ...POD, spec: { containers: containers(GOOD, BAD) } },
    { operation: "UPDATE", oldObject: { ...POD, spec: spec() } },
  ],
  // Keys that some parsers take for others.
  [{ ...POD, spec: spec({ Containers: containers(BAD) }) }, {}],
  [{ ...POD, spec: { containers: [{ name: "c", image: GOOD, Image: BAD }] } }, {}],
  [
    { ...POD, spec: { containers: containers(BAD) } },
    { operation: "DELETE", oldObject: { ...POD, spec: spec() } },
  ],
  [{ apiVersion: "apps/v1", kind: "Deployment", spec: template }, {}],
  [{ apiVersion: "v1", kind: "ReplicationController", spec: template }, {}],
  [{ apiVersion: "v1", kind: "PodTemplate", ...template }, {}],
  [{ apiVersion: "batch/v1", kind: "CronJob", spec: { jobTemplate: { spec: template } } }, {}],
  [{ apiVersion: "autoscaling/v1", kind: "Scale", spec: { replicas: 3 } }, { subResource: "scale" }],
  [{ apiVersion: "argoproj.io/v1", kind: "Rollout", spec: template }, {}],
  [{ apiVersion: "argoproj.io/v1", kind: "Rollout", spec: { list: [{ spec: spec() }, { spec: spec() }] } }, {}],
  [{ apiVersion: "argoproj.io/v1", kind: "Canary", spec: template }, {}],
];
const WORKLOAD_FIELDS = ["template", "list"];
const WORKLOADS = readWorkloads(["template", "list/*"].map((path) => `rollouts.argoproj.io=/spec/${path}`));

function reviewOf([object, request]: readonly [Json, Json]): Json {
  const [group = "", version = ""] = String(object["apiVersion"]).includes("/")
    ? String(object["apiVersion"]).split("/")
    : ["", String(object["apiVersion"])];
  const kind = { group, version, kind: object["kind"] };
  const resource = { group, version, resource: `${String(object["kind"]).toLowerCase()}s` };
  const common = { uid: "u-1", kind, resource, namespace: "n", operation: "CREATE", object };
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: { ...common, ...request } };
}

let opened: Promise<AdmissionService> | undefined;

async function openService(): Promise<AdmissionService> {
  const io = testIo({ cwd: tmpdir(), io: { http: () => Promise.reject(new Finding("a registry is asked")) } });
  const read = async () => ({ content: Buffer.from(POLICY), path: "p.yaml" });
  const policy = await LivePolicy.open(io, { read, registry: PLAIN_REGISTRY, warn: () => {} });
  const options = { maxBytes: 1e6, workers: 1, tagPrefix: "", rekorUrl: undefined };
  const decider = new Decider(io, { current: () => policy.current, options });
  const more = { providerTimeout: 900, needsClient: false, workloads: WORKLOADS, log: () => {}, mask: String };
  return new AdmissionService(io, { policy, decider, ...more });
}

/** Changed reviews: answered with the same uid, refused or not a review, and allowed only if every new image is a good one. */
export const REVIEW_TARGET: Target = {
  name: "admission-reviews",
  reaches: "yes",
  inputs() {
    const trees = OBJECTS.map((each) => treeOfJson(reviewOf(each)));
    const donors: readonly Node[] = [
      ...trees,
      ...["", BAD, "DELETE", "Image", "containers"].map((each) => treeOfJson(each)),
    ];
    return fc
      .record({ base: fc.nat(trees.length - 1), list: changes(), path: fc.constantFrom("/validate", "/mutate") })
      .map(({ base, list, path }) => {
        const document = bytesOf(mutate(trees[base] as Node, list, donors));
        return { form: path, document, setting: null };
      });
  },
  async judge({ form, document }): Promise<Outcome> {
    opened ??= openService();
    const body = (async function* () {
      yield document;
    })();
    const answer = await (await opened).handle({ method: "POST", url: `${form}?timeout=10s`, headers: {}, body });
    if (answer.status === 400) return "refused";
    if (answer.status !== 200) throw new Finding(`status ${answer.status}`);
    const { response } = JSON.parse(String(answer.body));
    const { request } = JSON.parse(Buffer.from(document).toString());
    if (response.uid !== request.uid) throw new Finding(`uid ${response.uid}, not ${request.uid}`);
    if (typeof response.allowed !== "boolean") throw new Finding("neither allowed nor refused");
    if (!response.allowed) {
      const { code, message } = response.status;
      if (![400, 403].includes(code) || message === "") throw new Finding(`refused with ${code}: ${message}`);
      return "read";
    }
    if (response.patch !== undefined) throw new Finding("a patch without a digest that was looked up");
    requireGood(request);
    return "yes";
  },
};

/** @throws Finding for an image that is not good, in a place where a Pod would start it */
function requireGood({ operation, kind, object, oldObject }: Json): void {
  if (operation === "DELETE" || operation === "CONNECT") return;
  // A custom resource has its images at its paths only.
  const placesOf = (of: unknown) =>
    (kind as Json)["kind"] === "Rollout"
      ? WORKLOAD_FIELDS.map((name) => ((of as Json | null)?.["spec"] as Json | null)?.[name])
      : of;
  const old = operation === "UPDATE" ? [...imagesIn(placesOf(oldObject))] : [];
  for (const image of imagesIn(placesOf(object))) {
    if (old.includes(image) || image === "") continue;
    if (typeof image !== "string" || !GOOD_NAME.test(image)) throw new Finding(`allows ${JSON.stringify(image)}`);
  }
}

/** The images of everything that looks like the specification of a Pod, at any depth, with keys in any case. */
function* imagesIn(value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    const name = key.toLowerCase();
    if (name === "metadata") continue;
    if (/^(?:(?:init|ephemeral)?containers|volumes)$/.test(name) && Array.isArray(each)) {
      for (const item of each) yield* imageOf(item, name === "volumes");
    } else yield* imagesIn(each);
  }
}

function* imageOf(item: unknown, isVolume: boolean): Generator<unknown> {
  for (const [key, image] of Object.entries((item ?? {}) as Json)) {
    if (key.toLowerCase() !== "image" || image === null) continue;
    if (!isVolume) yield image;
    else
      for (const [name, text] of Object.entries(image as Json))
        if (name.toLowerCase() === "reference" && text !== null) yield text;
  }
}
