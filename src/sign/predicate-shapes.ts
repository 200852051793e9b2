import { isObject } from "../format/json.ts";

/**
 * The expected type of a value in a predicate, unless it is absent or null: text, a boolean, an RFC 3339 time, base64, any
 * object, a list (`[shape]`), a map with values of one shape (`{ "*": shape }`), or an object with the shapes of its fields.
 * Fields without a shape may have any value.
 */
type Shape = "text" | "flag" | "time" | "bytes" | "object" | readonly [Shape] | { readonly [field: string]: Shape };

const DIGESTS: Shape = { "*": "text" };
/** in-toto attestation framework, resource_descriptor.md. */
const RESOURCE: Shape = {
  name: "text",
  uri: "text",
  digest: DIGESTS,
  content: "bytes",
  downloadLocation: "text",
  mediaType: "text",
  annotations: "object",
};
/** slsa.dev/provenance/v0.2 */
const SLSA_02: Shape = {
  builder: { id: "text" },
  buildType: "text",
  invocation: {
    configSource: { uri: "text", digest: DIGESTS, entryPoint: "text" },
    parameters: "object",
    environment: "object",
  },
  buildConfig: "object",
  metadata: {
    buildInvocationId: "text",
    buildInvocationID: "text",
    buildStartedOn: "time",
    buildFinishedOn: "time",
    completeness: { parameters: "flag", environment: "flag", materials: "flag" },
    reproducible: "flag",
  },
  materials: [{ uri: "text", digest: DIGESTS }],
};

/** Shapes by alias of --type, which are those that cosign enforces when it attests. */
const SHAPES: Readonly<Record<string, Shape>> = {
  slsaprovenance: SLSA_02,
  slsaprovenance02: SLSA_02,
  // slsa.dev/provenance/v1
  slsaprovenance1: {
    buildDefinition: {
      buildType: "text",
      externalParameters: "object",
      internalParameters: "object",
      resolvedDependencies: [RESOURCE],
    },
    runDetails: {
      builder: { id: "text", version: { "*": "text" }, builderDependencies: [RESOURCE] },
      metadata: { invocationId: "text", invocationID: "text", startedOn: "time", finishedOn: "time" },
      byproducts: [RESOURCE],
    },
  },
  // in-toto.io/Link/v1
  link: {
    _type: "text",
    name: "text",
    command: ["text"],
    materials: { "*": DIGESTS },
    products: { "*": DIGESTS },
    byproducts: "object",
    environment: "object",
  },
  // COSIGN_VULN_ATTESTATION_SPEC of cosign
  vuln: {
    invocation: { uri: "text", event_id: "text", "builder.id": "text" },
    scanner: { uri: "text", version: "text", db: { uri: "text", version: "text" } },
    metadata: { scanStartedOn: "time", scanFinishedOn: "time" },
  },
};
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.]\d+)?(Z|[+-]\d\d:\d\d)$/;

/**
 * Returns the first mismatch between a predicate and the shape of its type; undefined if there is none.
 *
 * @param type an alias of --type or a URI; types without a shape match any predicate
 */
export function shapeMismatch(type: string, predicate: Readonly<Record<string, unknown>>): string | undefined {
  const shape = Object.hasOwn(SHAPES, type) ? SHAPES[type] : undefined;
  return shape && mismatch(predicate, shape, "");
}

function mismatch(value: unknown, shape: Shape, path: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof shape === "string") return fits(value, shape) ? undefined : describe(value, shape, path);
  if (isList(shape)) {
    if (!Array.isArray(value)) return describe(value, "list", path);
    return first(value.map((each, index) => mismatch(each, shape[0], `${path}[${index}]`)));
  }
  if (!isObject(value)) return describe(value, "object", path);
  const below = (name: string) => (path === "" ? name : `${path}.${name}`);
  const { "*": every, ...fields } = shape;
  if (every) return first(Object.entries(value).map(([name, each]) => mismatch(each, every, below(name))));
  // Fields of protobuf messages have two names in JSON (protobuf, "JSON format").
  const named = (name: string) => [name, name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)];
  return first(
    Object.entries(fields).flatMap(([field, each]) =>
      [...new Set(named(field))].map((name) => mismatch(own(value, name), each, below(name))),
    ),
  );
}

function fits(value: unknown, shape: "text" | "flag" | "time" | "bytes" | "object"): boolean {
  switch (shape) {
    case "text":
      return typeof value === "string";
    case "flag":
      return typeof value === "boolean";
    case "time":
      return typeof value === "string" && RFC_3339.test(value) && !Number.isNaN(Date.parse(value));
    case "bytes":
      return typeof value === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value);
    case "object":
      return isObject(value);
  }
}

function describe(value: unknown, shape: string, path: string): string {
  const shown = JSON.stringify(value);
  const names: Readonly<Record<string, string>> = {
    text: "a string",
    flag: "true or false",
    time: "a time (RFC 3339)",
    bytes: "base64",
    object: "an object",
    list: "a list",
  };
  return `${path}: got ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}, want ${names[shape]}`;
}

const isList = (shape: Shape): shape is readonly [Shape] => Array.isArray(shape);
const first = (found: readonly (string | undefined)[]) => found.find((each) => each !== undefined);
const own = (value: Record<string, unknown>, name: string) => (Object.hasOwn(value, name) ? value[name] : undefined);
