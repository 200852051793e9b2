import type { Requirement, RuleText } from "../schema.ts";
import { type Outcome, ruleOf } from "./combine.ts";
import { allOf, countOf, type Draft, evidenceOf, type Member } from "./draft.ts";
import { fromConnaisseur } from "./patterns.ts";
import { identitySigner, keySigners, sctTrust, trustFile } from "./signers.ts";
import type { Fields } from "./source.ts";

const NAMES = { issuer: "issuer", issuerRegExp: "issuerRegex", subject: "subject", subjectRegExp: "subjectRegex" };
const DEFAULT = "default";
const LEFT_OUT = "the rule refuses its images";

/** Whether a document has the shape of Connaisseur's values: `application` or its content. */
export function applicationOf(document: Fields): Fields | undefined {
  const application = document.has("application") ? document.fields("application") : document;
  return application?.has("validators") && application.has("policy") ? application : undefined;
}

/** Reads Connaisseur's values (version 3): the rule with the most specific pattern decides. */
export function readConnaisseur(application: Fields, draft: Draft): RuleText[] {
  const validators = new Map(application.list("validators").map((each) => [each.text("name") ?? "", each]));
  const features = application.fields("features");
  const detects = features?.flag("detectionMode") === true || application.flag("detectionMode") === true;
  if (features) {
    draft.broader(
      features,
      "namespacedValidation",
      "resourceValidationMode",
      "automaticUnchangedApproval",
      "automaticChildApproval",
    );
    draft.unused(features, "cache");
  }
  draft.unused(application, "logLevel", "logFormat");
  const entries = application.list("policy").map((fields) => ({ fields, pattern: fields.text("pattern") ?? "" }));
  const rules: RuleText[] = [];
  for (const { fields, pattern } of entries.sort((one, other) => compare(one.pattern, other.pattern))) {
    const { images, untranslated } = fromConnaisseur(pattern);
    const outcome = readRule(fields, validators, draft);
    const effect: "warn" | "enforce" = detects ? "warn" : "enforce";
    const unit = { name: pattern, place: fields.place(), images, everywhere: false, effect, pinned: false };
    if (untranslated.length > 0) {
      draft.note(
        "refused",
        fields.place("pattern"),
        `pattern "${pattern}" has no equal: all images that a later rule would decide on are refused`,
      );
      rules.push(ruleOf({ ...unit, outcome: { refuse: `imported pattern "${pattern}" has no equal` } }, ["**"]));
      break;
    }
    rules.push(ruleOf({ ...unit, outcome }, images));
    const [image = ""] = images;
    if (!/:[^/]*\*$/.test(image) || "refuse" in outcome) continue;
    draft.note(
      "refused",
      fields.place("pattern"),
      `images that "${pattern}" matches by a tag are refused where they are named by digest only`,
    );
    const refuse = "the imported pattern demands a tag";
    rules.push(
      ruleOf({ ...unit, name: `${pattern} by digest`, outcome: { refuse } }, [image.slice(0, image.lastIndexOf(":"))]),
    );
  }
  draft.unknown(application, "it is not imported");
  return rules;
}

/** The more specific pattern first: more parts, then longer literal beginnings of parts, then longer parts (internal/policy). */
function compare(one: string, other: string): number {
  const [a, b] = [one.split("/"), other.split("/")];
  if (a.length !== b.length) return b.length - a.length;
  // An image of Docker Hub is index.docker.io/…, so that docker.io has no beginning in common with it.
  const literal = (part: string) => (part === "docker.io" ? 0 : part.replace(/\*.*$/, "").length);
  for (const measure of [literal, (part: string) => part.length]) {
    for (const [index, part] of a.entries()) {
      const difference = measure(b[index] ?? "") - measure(part);
      if (difference !== 0) return difference;
    }
  }
  return 0;
}

function readRule(fields: Fields, validators: ReadonlyMap<string, Fields>, draft: Draft): Outcome {
  const refuse = (text: string): Outcome => {
    draft.note("refused", fields.place(), `${text}: ${LEFT_OUT}`);
    return { refuse: `imported rule: ${text}` };
  };
  const name = fields.text("validator") ?? DEFAULT;
  const validator = validators.get(name);
  const options = fields.fields("with");
  if (!validator) return refuse(`no validator ${name}`);
  const type = validator.text("type");
  if (type === "static") {
    const approves = validator.flag("approve") === true;
    draft.unknown(fields, LEFT_OUT);
    return approves ? { accept: true } : { refuse: `denied by the validator ${name}` };
  }
  if (type !== "cosign") return refuse(`signatures of type ${type} have no equal`);
  draft.unused(validator, "auth", "cert");
  const log = options?.flag("verifyInTransparencyLog") === false ? "insecure-skip" : "required";
  const ignoreSct = options?.flag("verifySCT") === false;
  if (options) draft.unused(options, "mode");
  const trust = trustOf(validator, { name, ignoreSct, draft });
  const roots = new Map<string, string>();
  for (const root of validator.list("trustRoots")) {
    const signer = readRoot(root, trust, draft);
    if (signer !== undefined) roots.set(root.text("name") ?? "", signer);
  }
  const signers = requirementOf(options, roots);
  const unknown = [fields, validator, options].some((each) => each && draft.unknown(each, LEFT_OUT));
  if (unknown || signers === undefined) return refuse("a requirement that cannot be met");
  draft.note("forms", fields.place(), "Connaisseur reads the legacy form only; both forms are accepted here");
  const member: Member = { signers, log, timestamp: "optional", form: "any" };
  return { signatures: evidenceOf(member) };
}

function trustOf(validator: Fields, options: { name: string; ignoreSct: boolean; draft: Draft }): string | undefined {
  const { name, ignoreSct, draft } = options;
  const host = validator.fields("host");
  if (host) draft.unused(host, "rekor");
  const own = ["rekorPubkey", "fulcioCert", "ctLogPubkey"].filter((each) => host?.text(each) !== undefined);
  if (!host || own.length === 0) return sctTrust(ignoreSct, draft);
  return trustFile(ignoreSct ? `${name}-without-sct` : name, {
    draft,
    place: validator.place("host"),
    what: own.join(", "),
    ignoreSct,
  });
}

function readRoot(root: Fields, trust: string | undefined, draft: Draft): string | undefined {
  const name = root.text("name") ?? DEFAULT;
  const [key, keyless] = [root.text("key"), root.fields("keyless")];
  if (draft.unknown(root, "its signatures do not count")) return undefined;
  if (key !== undefined) {
    const [signer, ...others] = keySigners(name, key, draft);
    if (others.length > 0 || signer === undefined) return undefined;
    return trust === undefined ? signer : draft.signer(signer, { ...draft.signers[signer], trust });
  }
  const signer = keyless && identitySigner(keyless, { draft, trust, wild: false, names: NAMES });
  return keyless && draft.unknown(keyless, "its signatures do not count") ? undefined : signer;
}

/** Who must have signed: one trust root, all of them, or `threshold` of them with those that are `required`. */
function requirementOf(options: Fields | undefined, roots: ReadonlyMap<string, string>): Requirement | undefined {
  const name = options?.text("trustRoot") ?? DEFAULT;
  const [threshold = 0, required] = [options?.count("threshold"), options?.texts("required") ?? []];
  if (name !== "*") return required.length > 0 ? undefined : roots.get(name);
  const needed = required.map((each) => roots.get(each));
  if (needed.includes(undefined)) return undefined;
  const all = needed.flatMap((each) => each ?? []);
  const others = [...roots.values()].filter((each) => !all.includes(each));
  if (all.length === 0) {
    if (roots.size === 0 || threshold > roots.size) return undefined;
    return threshold === 0 ? allOf(others) : countOf(threshold, others);
  }
  const more = threshold - all.length;
  if (more > others.length) return undefined;
  return more > 0 ? allOf([...all, countOf(more, others)]) : allOf(all);
}
