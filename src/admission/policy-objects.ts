import { TsignError } from "../errors.ts";
import { objectAt, parseJson, textOf } from "../format/json.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import type { JsonObject } from "./review.ts";

/** Kinds of objects that contain a trust policy: for the Pods of their namespace, and for those of all namespaces. */
export const POLICY_GROUP = "tsign.dev";
export const POLICY_VERSION = "v1alpha1";
export const POLICY_KINDS = { TsignPolicy: "tsignpolicies", ClusterTsignPolicy: "clustertsignpolicies" } as const;
export type PolicyKind = keyof typeof POLICY_KINDS;

/** Whether objects of a kind (`group/Kind`) contain a policy. */
export function isPolicyKind(kind: string): boolean {
  return Object.keys(POLICY_KINDS).some((each) => kind === `${POLICY_GROUP}/${each}`);
}

/** An object that contains a policy. */
export interface PolicyObject {
  /** `TsignPolicy shop/base`, for people. */
  readonly name: string;
  /** "" for all namespaces. */
  readonly namespace: string;
  /** The policy as a document, or why it is not read. */
  readonly content: Uint8Array | TsignError;
}

/** Largest policy in an object, in bytes, and most regular expressions in it: others wait while they are compiled. */
const [MOST_BYTES, MOST_EXPRESSIONS, MOST_REPEATED] = [256 * 1024, 100, 20_000];

/** Reads an object, without the policy in it. @param namespace of the request, if the object does not name it */
export function policyObjectOf(kind: PolicyKind, object: JsonObject, namespace?: string): PolicyObject {
  const metadata = objectAt(object, "metadata");
  const isCluster = kind === "ClusterTsignPolicy";
  const own = isCluster ? "" : textOf(metadata["namespace"]) || (namespace ?? "");
  const name = `${kind} ${isCluster ? "" : `${own}/`}${textOf(metadata["name"]) || textOf(metadata["generateName"])}`;
  return { name, namespace: own, content: contentOf(object["spec"] ?? null, name) };
}

/** Whoever may write an object chooses its size and depth; the API server allows 1.5 MiB and 10,000 levels. */
function contentOf(spec: unknown, name: string): Uint8Array | TsignError {
  let text: string;
  try {
    text = JSON.stringify(spec);
    parseJson(Buffer.from(text), name); // for its limits
  } catch (error) {
    return error instanceof TsignError ? error : new TsignError("limit", `${name} is nested too deeply`);
  }
  if (Buffer.byteLength(text) > MOST_BYTES)
    return new TsignError("limit", `${name} is larger than ${MOST_BYTES} bytes`);
  const expressions = [...text.matchAll(/"regexp":("(?:[^"\\]|\\.)*")/g)].map(([, quoted = '""']) =>
    JSON.parse(quoted),
  );
  if (expressions.length > MOST_EXPRESSIONS) {
    return new TsignError("limit", `${name} has more than ${MOST_EXPRESSIONS} regular expressions`);
  }
  if (expressions.reduce((sum, each) => sum + sizeOf(each), 0) > MOST_REPEATED) {
    return new TsignError("limit", `${name} has regular expressions with too many repetitions`, {
      hint: "write * or + in place of numbers in {}",
    });
  }
  return Buffer.from(JSON.stringify(spec, undefined, 2));
}

/** About how large a regular expression is with its counted repetitions written out, which RE2 does: it takes seconds for 100,000. */
function sizeOf(expression: string): number {
  const counts = [...expression.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, least, most]) => Number(most || least));
  if (!expression.includes("){")) return counts.reduce((sum, each) => sum + each, expression.length);
  return (
    expression.length *
    Math.min(
      1000,
      counts.reduce((product, each) => product * Math.max(1, each), 1),
    )
  ); // RE2's limit
}

/**
 * Refuses what an object may not demand: whoever may write one would otherwise have the service read its files, call addresses, use
 * its credentials for key services, or, in a namespace, run programs of theirs.
 *
 * @throws TsignError "input"
 */
export function requireSelfContained(
  { path, signers, denied, trust, rules, mirrors }: TrustPolicy,
  namespace: string,
): void {
  const refuse = (what: string, hint: string) => {
    throw new TsignError("input", `read ${path}: ${what}`, { hint });
  };
  const keys = [
    ...[...signers.values()].flatMap((signer) => (signer.kind === "key" ? [signer.reference] : [])),
    ...denied.keys.map(({ reference }) => reference),
  ];
  for (const key of keys) {
    if (!key.includes("-----BEGIN"))
      refuse(`key "${key.slice(0, 100)}" is not PEM`, "write the public key into the object");
  }
  if (mirrors.length > 0) refuse("mirrors are not allowed in an object", "write them into the service's policy file");
  for (const [name, { trustedRoot, authorities, intermediates, timestampAuthority }] of trust) {
    const named = trustedRoot ?? authorities ?? intermediates ?? timestampAuthority;
    if (named !== undefined) refuse(`trust "${name}" names a file`, "leave it out: the service's trusted root is used");
  }
  for (const policy of rules
    .flatMap(({ demands }) => demands)
    .flatMap(({ attestation }) => attestation?.policies ?? [])) {
    if ("file" in policy) refuse(`policy "${policy.file}" is a file`, "write its text into the object");
    if (namespace !== "") refuse("CUE and Rego are not allowed in a namespace", "write a ClusterTsignPolicy");
  }
}
