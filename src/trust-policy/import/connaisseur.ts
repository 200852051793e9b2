import { isDeepStrictEqual } from "node:util";
import { type ImagePattern, parseImagePattern } from "../image-names.ts";
import type { Requirement, RuleText } from "../schema.ts";
import { both, covers, type Outcome, ruleOf, type Unit } from "./combine.ts";
import { bySpecificity, overlap, rivals } from "./connaisseur-patterns.ts";
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
  const entries = bySpecificity(
    application.list("policy").map((fields) => ({ fields, pattern: fields.text("pattern") ?? "" })),
  ).map((entry) => ({ ...entry, outcome: readRule(entry.fields, validators, draft) }));
  const effect = detects ? "warn" : "enforce";
  const rules = entriesToRules(entries, effect, draft);
  draft.unknown(application, "it is not imported");
  return rules;
}

/** A rule of Connaisseur, with what it decides. */
interface Entry {
  readonly fields: Fields;
  readonly pattern: string;
  readonly outcome: Outcome;
}

/** @param entries the more specific patterns first */
function entriesToRules(entries: readonly Entry[], effect: Unit["effect"], draft: Draft): RuleText[] {
  const rules: RuleText[] = [];
  const decided: ImagePattern[] = [];
  for (const [index, { fields, pattern }] of entries.entries()) {
    const place = fields.place("pattern");
    const rule = (name: string, images: readonly string[], decision: Outcome) =>
      rules.push(ruleOf({ name, place, images, everywhere: false, effect, pinned: false, outcome: decision }, images));
    const image = imageOf(pattern);
    if (image === undefined) {
      const text = `pattern "${pattern}" has no equal: all images that a later rule would decide on are refused`;
      draft.note("refused", place, text);
      rule(pattern, ["**"], { refuse: `imported pattern "${pattern}" has no equal` });
      return rules;
    }
    if (decided.some((other) => covers(other, image.pattern))) {
      draft.note("unused", place, `pattern "${pattern}" decides on no image: earlier rules decide on all its images`);
      continue;
    }
    decided.push(image.pattern);
    if (pattern.includes("@")) {
      draft.note("refused", place, `pattern "${pattern}": a pattern cannot contain a digest; ${image.text} is refused`);
      rule(pattern, [image.text], { refuse: `imported pattern "${pattern}" contains a digest` });
      continue;
    }
    const { elsewhere, decision } = withOthers(image.pattern, { entries, index, draft });
    if (elsewhere.length > 0) {
      draft.note(
        "refused",
        place,
        `Connaisseur finds patterns anywhere in a name: images that "${pattern}" and a more specific one match are refused`,
      );
      rule(`${pattern}, more specific elsewhere`, elsewhere, {
        refuse: "a more specific imported pattern matches, too",
      });
    }
    rule(pattern, [image.text], decision);
    if (image.pattern.tag === undefined || "refuse" in decision) continue;
    const repository = image.text.slice(0, image.text.lastIndexOf(":"));
    draft.note(
      "refused",
      place,
      `images of ${repository} that "${pattern}" does not match, or named by digest, are refused`,
    );
    rule(`${pattern} by digest`, [repository], { refuse: "the imported pattern demands a tag" });
  }
  return rules;
}

/** The pattern of this program. */
function imageOf(pattern: string): { text: string; pattern: ImagePattern } | undefined {
  const [text] = fromConnaisseur(pattern).images;
  const parsed = text === undefined ? undefined : parseImagePattern(text);
  return text === undefined || !parsed || "wrong" in parsed ? undefined : { text, pattern: parsed };
}

/**
 * What a rule decides, and the images for which another rule of Connaisseur decides although the pattern of the other rule here
 * does not match them: these are refused, or must meet what both demand.
 */
function withOthers(
  image: ImagePattern,
  { entries, index, draft }: { entries: readonly Entry[]; index: number; draft: Draft },
): { elsewhere: string[]; decision: Outcome } {
  const own = entries[index] as Entry;
  const elsewhere: string[] = [];
  let decision = own.outcome;
  for (const [at, other] of entries.entries()) {
    if (at === index || (at > index && !rivals(own.pattern, other.pattern))) continue;
    if (
      isDeepStrictEqual(
        both(own.outcome, other.outcome, () => {}),
        own.outcome,
      )
    )
      continue;
    const found = at > index ? { images: [], everywhere: true } : overlap(image, other.pattern);
    elsewhere.push(...found.images);
    if (!found.everywhere) continue;
    const text = `"${other.pattern}" may match the same images in Connaisseur, anywhere in their names: both are demanded`;
    draft.note("stricter", own.fields.place("pattern"), text);
    decision = both(decision, other.outcome, () => {});
  }
  return { elsewhere: [...new Set(elsewhere)], decision };
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
    return draft.withTrust(signer, trust);
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
