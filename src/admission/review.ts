import { TsignError } from "../errors.ts";
import { isObject, parseJson } from "../format/json.ts";
import { printable } from "../format/printable.ts";

/** A JSON object from outside. */
export type JsonObject = Readonly<Record<string, unknown>>;

const OPERATIONS = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;

/** A request of the API server to admit an object (AdmissionReview, admission.k8s.io/v1). */
export interface Review {
  /** Echoed in the response. */
  readonly uid: string;
  readonly operation: (typeof OPERATIONS)[number];
  /** `group/Kind`, as in `apps/Deployment`; the core group is empty: `/Pod`. */
  readonly kind: string;
  /** `group/resource`: `/pods`. */
  readonly resource: string;
  /** "" for the object itself. */
  readonly subResource: string;
  /** "" for objects without a namespace. */
  readonly namespace: string;
  /** "" while the API server has not generated it. */
  readonly name: string;
  readonly user: string;
  readonly dryRun: boolean;
  readonly object: JsonObject | undefined;
  readonly oldObject: JsonObject | undefined;
}

/** A review whose sender can be answered, although the request in it cannot be read. */
export interface Unreadable {
  readonly uid: string;
  /** What is wrong with it. */
  readonly fault: string;
}

const MAX_UID = 256;
/** An object of the API server has at most 3 MiB; this counts commas. */
const MAX_VALUES = 500_000;

/**
 * Reads an AdmissionReview.
 *
 * @throws TsignError "input" for a document that is not one: there is no request to refuse
 */
export function readReview(bytes: Uint8Array): Review | Unreadable {
  let document: JsonObject;
  try {
    document = readDocument(bytes, "review");
  } catch (error) {
    const uid = uidIn(bytes);
    if (!(error instanceof TsignError) || uid === undefined) throw error;
    return { uid, fault: error.message };
  }
  requireKind(document, { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" });
  const request = document["request"];
  if (!isObject(request)) throw invalid("review", "missing request");
  const { uid } = request;
  if (typeof uid !== "string" || uid === "" || uid.length > MAX_UID) throw invalid("review", "missing request.uid");
  try {
    return readRequest(uid, request);
  } catch (error) {
    if (error instanceof TsignError) return { uid, fault: error.message };
    throw error;
  }
}

/** The request in JSON that is refused for what else is in it: whoever wrote the object must not choose that nobody answers. */
function uidIn(bytes: Uint8Array): string | undefined {
  try {
    const document: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    const request = isObject(document) && document["kind"] === "AdmissionReview" ? document["request"] : undefined;
    const uid = isObject(request) ? request["uid"] : undefined;
    return typeof uid === "string" && uid !== "" && uid.length <= MAX_UID ? uid : undefined;
  } catch {
    return undefined;
  }
}

/** How the API server begins a review. */
const BEGINNING =
  /^\{"kind":"AdmissionReview","apiVersion":"admission\.k8s\.io\/v1","request":\{"uid":"([\w-]{1,256})",/;

/**
 * A review of which only the beginning is known.
 *
 * @returns undefined for what does not begin as a review
 */
export function beginningOfReview(bytes: Uint8Array, fault: string): Unreadable | undefined {
  const [, uid] = BEGINNING.exec(Buffer.from(bytes.subarray(0, 1024)).toString("latin1")) ?? [];
  return uid === undefined ? undefined : { uid, fault };
}

/**
 * Parses a JSON document whose root is an object.
 *
 * @throws TsignError "input"
 */
export function readDocument(bytes: Uint8Array, name: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(bytes, name, { most: MAX_VALUES });
  } catch (error) {
    throw error instanceof TsignError ? new TsignError("input", error.message, { cause: error }) : error;
  }
  if (isObject(value)) return value;
  throw invalid(name, "not a JSON object");
}

/** @throws TsignError "input" for a document of another kind or version */
export function requireKind(document: JsonObject, want: { apiVersion: string; kind: string }): void {
  for (const field of ["apiVersion", "kind"] as const) {
    const got = document[field];
    if (got === want[field]) continue;
    const text = typeof got === "string" ? `"${printable(got.slice(0, 100))}"` : "nothing";
    throw invalid(want.kind, `${field} mismatch: got ${text}, want "${want[field]}"`);
  }
}

function readRequest(uid: string, request: JsonObject): Review {
  const operation = OPERATIONS.find((each) => each === request["operation"]);
  if (operation === undefined) throw invalid("request", "unknown operation");
  const kind = named(request, "kind", "kind");
  const object = readObject(request, "object");
  const oldObject = readObject(request, "oldObject");
  if (operation !== "DELETE" && operation !== "CONNECT") requireObject(object, kind);
  const userInfo = request["userInfo"];
  return {
    uid,
    operation,
    kind,
    resource: named(request, "resource", "resource"),
    subResource: text(request, "subResource"),
    namespace: text(request, "namespace"),
    name: text(request, "name"),
    user: isObject(userInfo) ? text(userInfo, "username") : "",
    dryRun: request["dryRun"] === true,
    object,
    oldObject,
  };
}

/** `group/name` of a kind or resource. */
function named(request: JsonObject, field: string, name: string): string {
  const value = request[field];
  if (!isObject(value)) throw invalid("request", `missing ${field}`);
  const [group, own] = [text(value, "group"), text(value, name)];
  if (own === "") throw invalid("request", `missing ${field}.${name}`);
  return `${group}/${own}`;
}

/** A text; "" if it is absent. */
function text(of: JsonObject, field: string): string {
  const value = of[field] ?? "";
  if (typeof value === "string") return value;
  throw invalid("request", `${field} is not a string`);
}

function readObject(request: JsonObject, field: string): JsonObject | undefined {
  const value = request[field] ?? undefined;
  if (value === undefined || isObject(value)) return value;
  throw invalid("request", `${field} is not an object`);
}

/** Refuses a missing object, and one of another kind than the request names: its images would be looked for in the wrong place. */
function requireObject(object: JsonObject | undefined, kind: string): void {
  if (object === undefined) throw invalid("request", "missing object");
  const { apiVersion = "", kind: own } = object;
  if (typeof apiVersion !== "string" || typeof own !== "string") throw invalid("request", "missing object.kind");
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  if (`${group}/${own}` !== kind) {
    throw invalid("request", `kind mismatch: got ${printable(`${group}/${own}`)}, want ${printable(kind)}`);
  }
}

function invalid(document: string, reason: string): TsignError {
  return new TsignError("input", `read ${document}: ${reason}`);
}
