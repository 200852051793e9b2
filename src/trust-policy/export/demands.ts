import { anywhere } from "../import/draft.ts";
import type { PolicyFile, Requirement, SignerText } from "../schema.ts";

/** What the other program must be able to demand: `count` of the signers of each part, and every part. */
export interface Part {
  readonly count: number;
  readonly signers: readonly string[];
}

/** Why a rule cannot be written for the other program. */
export class NoEqual extends Error {}

/**
 * The parts of a requirement, which must all be met.
 *
 * @throws NoEqual for a requirement that is nested otherwise, or that one person or key could meet twice
 */
export function partsOf(requirement: Requirement, policy: PolicyFile): Part[] {
  const parts = flatten(requirement, policy);
  const counted = parts.length > 1 || parts.some(({ count }) => count > 1);
  if (!counted) return parts;
  const names = parts.flatMap(({ signers }) => signers);
  for (const [index, one] of names.entries()) {
    for (const other of names.slice(index + 1)) {
      if (!differ(policy.signers?.[one], policy.signers?.[other], one === other)) {
        throw new NoEqual(`${one} and ${other} could be the same key or person, who would count twice`);
      }
    }
  }
  return parts;
}

function flatten(requirement: Requirement, policy: PolicyFile): Part[] {
  if (typeof requirement === "string") {
    const group = policy.groups?.[requirement];
    return group === undefined ? [{ count: 1, signers: [requirement] }] : flatten(group, policy);
  }
  if ("all" in requirement) return requirement.all.flatMap((each) => flatten(each, policy));
  const members = "any" in requirement ? requirement.any : requirement.of;
  const count = "any" in requirement ? 1 : requirement.atLeast;
  if (typeof members === "string") {
    if (count === 1) return [{ count, signers: [members] }];
    throw new NoEqual(`different people who are ${members}`);
  }
  if (count === members.length) return members.flatMap((each) => flatten(each, policy));
  const inner = members.map((each) => flatten(each, policy));
  const signers = inner.map((parts) => (parts.length === 1 && parts[0]?.count === 1 ? parts[0].signers : undefined));
  if (signers.includes(undefined) || (count > 1 && signers.some((each) => each?.length !== 1))) {
    throw new NoEqual("a requirement nested in another one");
  }
  return [{ count, signers: [...new Set(signers.flatMap((each) => each ?? []))] }];
}

/** Whether two signers are certainly different keys or people. */
function differ(one: SignerText | undefined, other: SignerText | undefined, isSame: boolean): boolean {
  if (isSame || !one || !other) return false;
  if (one.key !== undefined && other.key !== undefined) {
    const isInline = (key: string) => key.includes("-----BEGIN");
    return isInline(one.key) && isInline(other.key) && one.key.trim() !== other.key.trim();
  }
  if (one.key !== undefined || other.key !== undefined) return true;
  return typeof one.identity === "string" && typeof other.identity === "string" && one.identity !== other.identity;
}

/** The trusted material that a signer is verified with, by its name. */
export function trustOf(
  signer: SignerText,
  demand: { readonly trust?: string | undefined },
  policy: PolicyFile,
): { readonly name: string; readonly material: NonNullable<PolicyFile["trust"]>[string] } | undefined {
  const name = signer.trust ?? demand.trust ?? (policy.trust?.["default"] ? "default" : undefined);
  const material = name === undefined ? undefined : policy.trust?.[name];
  return name === undefined || material === undefined ? undefined : { name, material };
}

type Pattern = NonNullable<SignerText["identity"] | SignerText["issuer"]>;

/**
 * A pattern as an exact text, or as a regular expression that is searched for.
 *
 * @throws NoEqual for certificates without an issuer
 */
function exactOrRegExp(pattern: Pattern): { readonly exact: string } | { readonly regexp: string } {
  if (typeof pattern === "string") return { exact: pattern };
  if ("none" in pattern) throw new NoEqual("certificates without an issuer");
  if ("regexp" in pattern) {
    const found = searched(pattern.regexp);
    if (found !== undefined) return { regexp: found };
    const isPlain = !/[|]|\(\?/.test(pattern.regexp);
    return { regexp: isPlain ? `^${pattern.regexp}$` : `^(?:${pattern.regexp})$` };
  }
  const escaped = pattern.glob.replace(/[\\^$.|+()[\]{}?]/g, "\\$&");
  return { regexp: `^${escaped.replace(/\*\*|\*/g, (run) => (run === "**" ? ".*" : "[^/]*"))}$` };
}

/** The regular expression that a pattern searches for, if it is written as an import writes it. */
function searched(regexp: string): string | undefined {
  const [, before = "", middle = "", after = ""] = /^(\(\?s:\.\*\))?\(\?:(.*?)\)(\(\?s:\.\*\))?$/s.exec(regexp) ?? [];
  const tried = `${before === "" ? "^" : ""}${middle}${after === "" ? "$" : ""}`;
  return middle !== "" && anywhere(tried).regexp === regexp ? tried : undefined;
}

/** The fields of an identity as Sigstore's policies name them. */
export function identityFields(signer: SignerText): Record<string, string> {
  if (signer.identity === undefined || signer.issuer === undefined) throw new NoEqual("a signer without identity");
  if (signer.extensions !== undefined) throw new NoEqual("extensions of certificates");
  const [subject, issuer] = [exactOrRegExp(signer.identity), exactOrRegExp(signer.issuer)];
  return {
    ...("exact" in issuer ? { issuer: issuer.exact } : { issuerRegExp: issuer.regexp }),
    ...("exact" in subject ? { subject: subject.exact } : { subjectRegExp: subject.regexp }),
  };
}

/** A name for Kubernetes: lower case, digits and `-`, with a number at its end where it is needed twice. */
export function resourceName(name: string, used: Set<string>): string {
  const cleaned = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const base = cleaned.slice(0, 50).replace(/-+$/, "") || "rule";
  for (let number = 1; ; number++) {
    const tried = number === 1 ? base : `${base}-${number}`;
    if (used.has(tried)) continue;
    used.add(tried);
    return tried;
  }
}
