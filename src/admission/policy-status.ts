import type { TsignError } from "../errors.ts";
import { isObject, objectAt, textOf } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import type { Cluster } from "../services/kubernetes.ts";
import { POLICY_GROUP, POLICY_KINDS, POLICY_VERSION, type PolicyKind } from "./policy-objects.ts";
import type { JsonObject } from "./review.ts";

/** An object that contains a policy, as it was listed. */
interface Stored {
  /** Path of its status in the API. */
  readonly path: string;
  readonly resourceVersion: string;
  /** Of its spec: another one for each change. */
  readonly generation: number;
  readonly status: JsonObject;
}

/** An object and what became of its policy. */
export interface Reported {
  readonly stored: Stored;
  /** "" for all namespaces. */
  readonly namespace: string;
  /** Why it cannot be used. */
  readonly error: TsignError | undefined;
}

/** The condition that is written (metav1.Condition). */
const TYPE = "Ready";
/** Its reasons, words for programs. */
const WORDS = { used: "Loaded", invalid: "Invalid", unavailable: "Unavailable" } as const;
/** Longest message, in characters. It may quote the object. */
const MAX_MESSAGE = 1000;

/** What is needed of an object to write its status. */
export function storedOf(kind: PolicyKind, object: JsonObject): Stored {
  const metadata = objectAt(object, "metadata");
  const [name, namespace] = [textOf(metadata["name"]), textOf(metadata["namespace"])].map(encodeURIComponent);
  const below = kind === "ClusterTsignPolicy" ? "" : `namespaces/${namespace}/`;
  return {
    path: `/apis/${POLICY_GROUP}/${POLICY_VERSION}/${below}${POLICY_KINDS[kind]}/${name}/status`,
    resourceVersion: textOf(metadata["resourceVersion"]),
    generation: Number(metadata["generation"] ?? 0),
    status: objectAt(object, "status"),
  };
}

/**
 * Writes into the objects whether their policies are used, for the elected replica. What is written already is not written again: a
 * status is a change of the object, which has all of them listed anew.
 *
 * @param reported what was read last
 * @throws TsignError of the cluster's API
 */
export async function writeStatuses(
  api: Pick<Cluster, "patch">,
  { now }: Pick<Io, "now">,
  reported: readonly Reported[],
): Promise<void> {
  for (const each of reported) {
    const { path, resourceVersion, status } = each.stored;
    const conditions = conditionsOf(status);
    const before = conditions.find(({ type }) => type === TYPE);
    const wanted = conditionOf(each);
    if (before && isSame(before, wanted)) continue;
    const isChange = before?.["status"] !== wanted.status;
    const lastTransitionTime = isChange
      ? now()
          .toISOString()
          .replace(/\.\d+Z$/, "Z")
      : before["lastTransitionTime"];
    const others = conditions.filter(({ type }) => type !== TYPE);
    const value = { ...status, conditions: [...others, { ...wanted, lastTransitionTime }] };
    // Of an object that has changed, or was deleted, the next look has the newest version.
    await api.patch(path, [
      { op: "test", path: "/metadata/resourceVersion", value: resourceVersion },
      { op: "add", path: "/status", value },
    ]);
  }
}

interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

function conditionOf({ stored: { generation: observedGeneration }, namespace, error }: Reported): Condition {
  if (error === undefined) {
    const message = `required of the images in ${namespace === "" ? "all namespaces" : `namespace ${namespace}`}`;
    return { type: TYPE, status: "True", reason: WORDS.used, message, observedGeneration };
  }
  const isInvalid = error.code === "input" || error.code === "limit";
  const text = `no image is admitted: ${error.message}${error.hint === undefined ? "" : `; ${error.hint}`}`;
  const message = printable(text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text);
  return {
    type: TYPE,
    status: "False",
    reason: WORDS[isInvalid ? "invalid" : "unavailable"],
    message,
    observedGeneration,
  };
}

/** Whether nothing is to be written. The words about an outage may be others each time. */
function isSame(before: JsonObject, wanted: Condition): boolean {
  const fields = ["status", "reason", "observedGeneration"] as const;
  const isAlike = fields.every((field) => before[field] === wanted[field]);
  return isAlike && (wanted.reason === WORDS.unavailable || before["message"] === wanted.message);
}

function conditionsOf(status: JsonObject): JsonObject[] {
  const { conditions } = status;
  return Array.isArray(conditions) ? conditions.filter(isObject) : [];
}
