import { TsignError } from "../../errors.ts";
import { isObject } from "../../format/json.ts";
import type { PolicyFile, RuleText } from "../schema.ts";
import { readClusterImagePolicy } from "./cip.ts";
import { combine, type Unit } from "./combine.ts";
import { commandLines, readCommands } from "./command.ts";
import { applicationOf, readConnaisseur } from "./connaisseur.ts";
import { Draft, type Note } from "./draft.ts";
import { readImageValidatingPolicy } from "./ivp.ts";
import { readClusterPolicy } from "./kyverno.ts";
import { type PolicyJsonOptions, readPolicyJson } from "./policy-json.ts";
import { type Fields, readDocuments } from "./source.ts";

/** A policy written from that of another program, and what has no equal in it. */
export interface Imported {
  /** What the file is: `ClusterImagePolicy` and so on. */
  readonly form: string;
  readonly policy: PolicyFile;
  readonly notes: readonly Note[];
}

const FORMS =
  "ClusterImagePolicy, ClusterPolicy, ImageValidatingPolicy, policy.json, Connaisseur's values or a cosign command line";

/**
 * Writes a trust policy from that of another program, whose form is found by its content. What has no equal is named, and never
 * left out or weakened: images that it decides on are refused by the policy.
 *
 * @param file its name in errors and notes
 * @throws TsignError "input"
 */
export function importPolicy(content: string, file: string, options: PolicyJsonOptions): Imported {
  const draft = new Draft();
  const lines = commandLines(content, file);
  if (lines.length > 0) return finish("cosign command line", readCommands(lines, draft), draft);
  const documents = readDocuments(content, file);
  const [first] = documents;
  const application = first && applicationOf(first);
  if (first && application) return finish("Connaisseur values", readConnaisseur(application, draft), draft);
  if (first && documents.length === 1 && first.has("default") && !first.has("kind")) {
    return finish("policy.json", readPolicyJson(first, draft, options), draft);
  }
  const units: Unit[] = [];
  const forms = new Set<string>();
  for (const document of documents.flatMap(itemsOf)) {
    const read = readResource(document, draft);
    if (read === undefined) {
      draft.note("unused", document.place(), `${document.text("kind") ?? "a document"} is not a policy for images`);
      continue;
    }
    forms.add(document.text("kind") ?? "");
    units.push(...read);
  }
  if (forms.size === 0)
    throw new TsignError("input", `import ${file}: unknown form of policy`, {
      hint: `pass a file with ${FORMS}`,
    });
  return finish([...forms].join(", "), combine(withoutCatchAll(units, draft), draft), draft);
}

/**
 * Leaves out the policy that refuses what no other one matches, as `policy export` writes it: a trust policy does so anyway. It
 * must name the patterns of all others.
 */
function withoutCatchAll(units: readonly Unit[], draft: Draft): Unit[] {
  const others = units.filter(({ otherwise }) => otherwise === undefined);
  const images = new Set(others.flatMap((unit) => unit.images));
  return units.filter(({ otherwise, place, name }) => {
    if (otherwise === undefined) return true;
    const isWhole = otherwise.length === images.size && otherwise.every((each) => images.has(each));
    if (!isWhole)
      draft.note("refused", place, `${name} refuses images that other policies accept: nothing is accepted`);
    return !isWhole;
  });
}

/** The documents of a Kubernetes List. */
function itemsOf(document: Fields): Fields[] {
  return /List$/.test(document.text("kind") ?? "") && document.has("items") ? document.list("items") : [document];
}

function readResource(document: Fields, draft: Draft): Unit[] | undefined {
  const [group = ""] = (document.text("apiVersion") ?? "").split("/");
  const kind = document.text("kind") ?? "";
  if (group === "policy.sigstore.dev" && kind === "ClusterImagePolicy")
    return [readClusterImagePolicy(document, draft)];
  if (group === "kyverno.io" && /^(?:Cluster)?Policy$/.test(kind)) {
    const units = readClusterPolicy(document, draft);
    return units.length > 0 ? units : undefined;
  }
  if (group === "policies.kyverno.io" && /^(?:Namespaced)?ImageValidatingPolicy$/.test(kind)) {
    return [readImageValidatingPolicy(document, draft)];
  }
  return undefined;
}

/** The policy with the signers and the trusted material that its rules name. */
function finish(form: string, rules: RuleText[], draft: Draft): Imported {
  const named = new Set<string>();
  collect(rules, named);
  const signers = Object.fromEntries(Object.entries(draft.signers).filter(([name]) => named.has(name)));
  collect(Object.values(signers), named);
  const trust = Object.fromEntries(Object.entries(draft.trust).filter(([name]) => named.has(name)));
  const policy: PolicyFile = {
    version: 1,
    ...(Object.keys(trust).length > 0 ? { trust } : {}),
    ...(Object.keys(signers).length > 0 ? { signers } : {}),
    ...(draft.digests.length > 0 ? { denied: { digests: draft.digests } } : {}),
    rules:
      rules.length > 0
        ? rules
        : [{ name: "nothing imported", images: "**", refuse: "no pattern of the imported policy has an equal" }],
  };
  return { form, policy, notes: draft.notes };
}

/** The names of signers and trusted material: every text in a requirement, or in a field `trust`. */
function collect(value: unknown, into: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, into);
  else if (isObject(value)) {
    for (const [field, member] of Object.entries(value)) {
      if (["signers", "any", "all", "of", "trust"].includes(field)) addTexts(member, into);
      collect(member, into);
    }
  }
}

function addTexts(value: unknown, into: Set<string>): void {
  if (typeof value === "string") into.add(value);
  else if (Array.isArray(value)) for (const item of value) addTexts(item, into);
  else if (isObject(value)) for (const member of Object.values(value)) addTexts(member, into);
}
