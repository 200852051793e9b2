import type * as z from "zod/mini";
import { TsignError } from "../errors.ts";
import { didYouMean } from "../format/nearest.ts";
import { printable } from "../format/printable.ts";
import type { Path, PolicyDocument } from "./document.ts";

/** What is wrong with a field, and what to write. */
export interface Fault {
  readonly path: Path;
  readonly reason: string;
  readonly hint: string | undefined;
}

/** An issue as zod reports it. */
interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly errors?: readonly (readonly Issue[])[];
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
}

/**
 * Validates the values of a policy, or of a file of cases, with its schema.
 *
 * @throws TsignError "input" for the first field that does not fit, with its place
 */
export function validate<T>(document: PolicyDocument, schema: z.ZodMiniType<T>): T {
  const result = schema.safeParse(document.value, { reportInput: false });
  if (result.success) return result.data;
  const [first] = result.error.issues.map((issue) => faultOf(issue as unknown as Issue, [], document.value));
  throw errorOf(document, first ?? { path: [], reason: "invalid policy", hint: undefined });
}

/** The error for a fault, with the place of its field. */
export function errorOf(document: PolicyDocument, { path, reason, hint }: Fault): TsignError {
  const field = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
  const name = field === "" ? "" : `${printable(field.replace(/^\./, ""))}: `;
  return new TsignError("input", `${document.placeOf(path)}: ${name}${reason}`, { hint });
}

/** Throws the error for a fault in the policy that is read. */
export type Refuse = (path: Fault["path"], reason: string, hint?: string) => never;

/** Runs a step, and puts the place of a field in front of its error. */
export async function at<T>(path: Fault["path"], refuse: Refuse, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || !["input", "usage"].includes(String(error.code)))
      throw error;
    return refuse(path, error.message, "hint" in error && typeof error.hint === "string" ? error.hint : undefined);
  }
}

function faultOf(issue: Issue, above: Path, root: unknown): Fault {
  const path = [...above, ...(issue.path as Path)];
  if (issue.code !== "invalid_union") return simpleFault(issue, path, root);
  // An alternative that has all the fields is meant; else the one whose fault is furthest inside.
  const errors = issue.errors ?? [];
  const known = errors.filter((each) => each.every(({ code }) => code !== "unrecognized_keys") && each.some(isInside));
  const depth = (each: Issue) => each.path.length + (each.code === "unrecognized_keys" ? 1.5 : 0);
  const [deepest] = (known.length > 0 ? known : errors).flat().toSorted((a, b) => depth(b) - depth(a));
  if (deepest && depth(deepest) > 0) return faultOf(deepest, path, root);
  return { path, reason: `got ${kindOf(valueAt(root, path))}, want ${wantedAt(path)}`, hint: hintFor(path) };
}

const isInside = ({ path }: Issue) => path.length > 0;

function simpleFault(issue: Issue, path: Path, root: unknown): Fault {
  const value = valueAt(root, path);
  const values = (issue.values ?? []).map(String).join(", ");
  switch (issue.code) {
    case "unrecognized_keys": {
      const [key = ""] = issue.keys ?? [];
      return { path: [...path, key], reason: "unknown field", hint: didYouMean(key, FIELDS) ?? "remove it" };
    }
    case "invalid_type":
      if (value === undefined) return { path, reason: "missing", hint: hintFor(path) };
      return { path, reason: `got ${kindOf(value)}, want ${nameOfType(issue.expected ?? "")}`, hint: hintFor(path) };
    case "invalid_value":
      if (value === undefined) return { path, reason: "missing", hint: `write ${values}` };
      return { path, reason: `got ${shown(value)}, want ${values}`, hint: `write ${values.replaceAll(", ", " or ")}` };
    case "too_small":
      if (typeof value !== "number") return { path, reason: "empty", hint: "write a value, or remove the field" };
      return { path, reason: `got ${value}, want at least ${issue.minimum}`, hint: undefined };
    case "too_big":
      return { path, reason: `got ${shown(value)}, want at most ${issue.maximum}`, hint: undefined };
    default:
      return { path, reason: `got ${shown(value ?? path.at(-1))}, want ${wantedAt(path)}`, hint: hintFor(path) };
  }
}

/** All names of fields, for proposals. */
const FIELDS = [
  ...["version", "unmatched", "trust", "signers", "groups", "builders", "denied", "rules", "name", "images", "files"],
  ...["mirrors", "mirror", "only", "tags"],
  ...["effect", "digest", "signatures", "attestations", "insecureAcceptAnything", "key", "identity", "issuer", "until"],
  ...["extensions", "trustedRoot", "authorities", "intermediates", "timestampAuthority", "insecureIgnoreSct", "log"],
  ...["logs", "timestamp", "form", "maxAge", "type", "policy", "slsa", "vulnerabilities", "builder", "source", "ref"],
  ...["commit", "buildType", "level", "worst", "ignore", "keys", "identities", "digests", "logEntries", "index", "cue"],
  ...["rego", "file", "any", "all", "atLeast", "of", "glob", "regexp", "none", "reason", "vsa", "verifier"],
  ...["policyDigest", "resource", "own", "tests", "image", "bundles", "layout", "at", "expect", "rule"],
];

/** What is expected of a field, by its name. */
const WANTED: Readonly<Record<string, string>> = {
  maxAge: "a duration such as 90d or 12h",
  at: "a time such as 2026-01-31 or 2026-01-31T12:00:00Z",
  until: "a time such as 2026-01-31 or 2026-01-31T12:00:00Z",
  signers: "a signer's name, or one of any, all and atLeast",
  any: "a signer's name, or one of any, all and atLeast",
  all: "a signer's name, or one of any, all and atLeast",
  of: "a list of signers, or a signer's name",
  groups: "a signer's name, or one of any, all and atLeast",
  images: "a pattern, or a list of patterns",
  files: "a pattern, or a list of patterns",
  policy: "one of cue, rego and file",
};
const PATTERN = "a text, {glob: …} or {regexp: …}";

function wantedAt(path: Path): string {
  const field = String(path.findLast((part) => typeof part === "string") ?? "");
  return Object.hasOwn(WANTED, field) ? (WANTED[field] ?? PATTERN) : PATTERN;
}

function hintFor(path: Path): string | undefined {
  if (path.length === 0) return "write `version: 1` and `rules:` at the top";
  const field = String(path.findLast((part) => typeof part === "string") ?? "");
  if (Object.hasOwn(WANTED, field)) return `write ${WANTED[field]}`;
  return path.length === 1 ? `write \`${field}:\` at the top of the file` : undefined;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

const isMapping = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isMapping(value)) return "a mapping";
  return value === undefined ? "nothing" : shown(value);
}

function nameOfType(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: "a text",
    int: "an integer",
    number: "an integer",
    array: "a list",
    object: "a mapping",
    record: "a mapping",
  };
  return names[expected] ?? expected;
}

function shown(value: unknown): string {
  const text = printable(JSON.stringify(value) ?? "nothing");
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
