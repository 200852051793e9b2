import { isObject } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { Path } from "./document.ts";

/** A policy with one demand less. */
export interface Loosened {
  /** What is left out: `rules[0].signatures.timestamp`. */
  readonly what: string;
  /** Position of the rule it is left out of; undefined if it concerns all rules. */
  readonly rule: number | undefined;
  /** JSON of the policy. */
  readonly text: string;
}

/** Fields of a demand that can be left out. */
const OPTIONAL = ["logs", "timestamp", "form", "maxAge"];
const SLSA = ["builder", "source", "ref", "commit", "buildType", "level"];
const OPEN = { glob: "**" };

type Member = Record<string, unknown>;

/**
 * Returns a policy's variants with one demand less: each demand of a rule, each signer of `all`, each threshold, each end and
 * extension of a signer, its identity and issuer, each thing that is denied or refused, each `enforce`, and what happens where no
 * rule matches. A test of the policy is complete if each of them fails a case.
 *
 * @param value the values of a policy that has been read (document.ts); not changed
 */
export function loosened(value: unknown): Loosened[] {
  const { tests: _, ...policy } = value as Member;
  const variants: Loosened[] = [];
  const add = (path: Path, change: (parent: Member, key: string) => void, word = "") => {
    const copy = JSON.parse(JSON.stringify(policy)) as Member;
    let parent: Member = copy;
    for (const part of path.slice(0, -1)) parent = parent[part] as Member;
    change(parent, String(path.at(-1)));
    const [top, index] = path;
    const rule = top === "rules" ? Number(index) : undefined;
    variants.push({ what: `${nameOf(path)}${word}`, rule, text: JSON.stringify(copy) });
  };
  for (const [index, rule] of list(policy["rules"])) loosenRule(rule, ["rules", index], add);
  for (const [name, signer] of entries(policy["signers"])) loosenSigner(signer as Member, ["signers", name], add);
  for (const [name, group] of entries(policy["groups"])) loosenRequirement(group, ["groups", name], add);
  for (const [field, items] of entries(policy["denied"])) {
    for (const [index] of list(items)) add(["denied", field, index], dropItem);
  }
  if (policy["unmatched"] === undefined || policy["unmatched"] === "refuse") {
    add(["unmatched"], (parent) => Object.assign(parent, { unmatched: "audit" }));
  }
  return variants;
}

type Add = (path: Path, change: (parent: Member, key: string) => void, word?: string) => void;

function loosenRule(rule: Member, path: Path, add: Add): void {
  const demandsAnything = rule["insecureAcceptAnything"] !== true || rule["digest"] !== undefined;
  if (demandsAnything && (rule["effect"] === undefined || rule["effect"] === "enforce")) {
    add([...path, "effect"], (parent) => Object.assign(parent, { effect: "audit" }));
  }
  if (rule["digest"] !== undefined) add([...path, "digest"], drop);
  if (rule["refuse"] !== undefined) {
    add([...path, "refuse"], (parent, key) => {
      drop(parent, key);
      Object.assign(parent, { insecureAcceptAnything: true });
    });
  }
  const attestations = list(rule["attestations"]);
  if (rule["signatures"] !== undefined) {
    add([...path, "signatures"], (parent, key) => {
      drop(parent, key);
      if (attestations.length === 0) Object.assign(parent, { insecureAcceptAnything: true });
    });
    loosenDemand(rule["signatures"] as Member, [...path, "signatures"], add);
  }
  for (const [index, attestation] of attestations) {
    const at = [...path, "attestations", index];
    if (attestations.length > 1) add(at, dropItem);
    else {
      add([...path, "attestations"], (parent, key) => {
        drop(parent, key);
        if (rule["signatures"] === undefined) Object.assign(parent, { insecureAcceptAnything: true });
      });
    }
    loosenDemand(attestation, at, add);
    loosenStatement(attestation, at, add);
  }
}

function loosenDemand(demand: Member, path: Path, add: Add): void {
  for (const field of OPTIONAL) {
    const value = demand[field];
    if (value !== undefined && value !== "any" && value !== "optional") add([...path, field], drop);
  }
  if (demand["log"] !== "insecure-skip") {
    add([...path, "log"], (parent) => {
      drop(parent, "logs");
      Object.assign(parent, { log: "insecure-skip" });
    });
  }
  loosenRequirement(demand["signers"], [...path, "signers"], add);
}

function loosenStatement(attestation: Member, path: Path, add: Add): void {
  const fields = (name: string, known: readonly string[]) => {
    const part = attestation[name];
    if (!isObject(part)) return;
    const stated = known.filter((field) => part[field] !== undefined);
    for (const field of stated) {
      if (stated.length === 1) add([...path, name], drop);
      else add([...path, name, field], dropWith(field));
    }
  };
  fields("slsa", SLSA);
  fields("vulnerabilities", ["maxAge", "worst"]);
  if (isObject(attestation["vsa"])) {
    add([...path, "vsa", "verifier"], open);
    for (const field of ["policy", "policyDigest", "resource", "level"]) {
      if (attestation["vsa"][field] !== undefined) add([...path, "vsa", field], drop);
    }
  }
  for (const [index] of list(attestation["policy"])) add([...path, "policy", index], dropItem);
}

/** What a severity is ignored for goes with the severity. */
function dropWith(field: string) {
  return (parent: Member, key: string) => {
    drop(parent, key);
    if (field === "worst") drop(parent, "ignore");
  };
}

function loosenRequirement(requirement: unknown, path: Path, add: Add): void {
  if (!isObject(requirement)) return;
  const { any, all, atLeast, of } = requirement;
  for (const [index, member] of list(any)) loosenRequirement(member, [...path, "any", index], add);
  const every = list(all);
  for (const [index, member] of every) {
    if (every.length > 1) add([...path, "all", index], dropItem);
    loosenRequirement(member, [...path, "all", index], add);
  }
  if (typeof atLeast === "number" && atLeast > 1) {
    add([...path, "atLeast"], (parent) => Object.assign(parent, { atLeast: atLeast - 1 }), ` less one`);
  }
  for (const [index, member] of list(of)) loosenRequirement(member, [...path, "of", index], add);
}

function loosenSigner(signer: Member, path: Path, add: Add): void {
  if (signer["until"] !== undefined) add([...path, "until"], drop);
  if (signer["identity"] === undefined) return;
  add([...path, "identity"], open);
  if (!isObject(signer["issuer"]) || signer["issuer"]["none"] === undefined) add([...path, "issuer"], open);
  for (const [name] of entries(signer["extensions"])) add([...path, "extensions", name], drop);
}

function drop(parent: Member, key: string): void {
  delete parent[key];
}

function dropItem(parent: Member, key: string): void {
  (parent as unknown as unknown[]).splice(Number(key), 1);
}

function open(parent: Member, key: string): void {
  parent[key] = OPEN;
}

/** The items of a list with their indexes; of another value none. */
function list(value: unknown): (readonly [number, Member])[] {
  return Array.isArray(value) ? value.map((item, index) => [index, item as Member] as const) : [];
}

function entries(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

function nameOf(path: Path): string {
  const parts = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
  return printable(parts.replace(/^\./, ""));
}
