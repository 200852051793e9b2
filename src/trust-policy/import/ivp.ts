import type { AttestationText, Requirement } from "../schema.ts";
import type { Outcome, Unit } from "./combine.ts";
import { allOf, anyOf, countOf, type Draft, evidenceOf, type Member, merge } from "./draft.ts";
import { fromExpression, fromOtherwise, isNobody, NO_IMAGE } from "./expression.ts";
import { noteFailurePolicy } from "./kyverno.ts";
import { fromKyverno, type Translated } from "./patterns.ts";
import { identitySigner, keySigners, SIGSTORE_FIELDS, sctTrust, trustFile } from "./signers.ts";
import type { Fields } from "./source.ts";

/** `images.containers.map(image, verifyImageSignatures(image, [attestors.a, attestors.b])).all(e, e > 0)`, spaces aside. */
const MAPPED = /^images\.\w+\.map\((\w+),(verify\w+\(.*\))\)\.all\((\w+),\3(>|>=|==)(\d+)\)$/;
/** `images.containers.all(image, verifyImageSignatures(image, [attestors.a]) > 0)`. */
const ALL = /^images\.\w+\.all\((\w+),(verify\w+\(.*\))(>|>=|==)(\d+)\)$/;
const SIGNATURES = /^verifyImageSignatures\((\w+),\[((?:attestors\.\w+,?)+)\]\)$/;
const ATTESTATIONS = /^verifyAttestationSignatures\((\w+),attestations\.(\w+),\[((?:attestors\.\w+,?)+)\]\)$/;
const UNUSED = [
  ...["webhookConfiguration", "evaluation", "autogen", "auditAnnotations", "credentials", "variables", "images"],
];

/** Reads an ImageValidatingPolicy of Kyverno whose validations count the attestors that have signed. */
export function readImageValidatingPolicy(document: Fields, draft: Draft): Unit {
  const name = document.fields("metadata")?.text("name") ?? "policy";
  for (const field of ["apiVersion", "kind", "status"]) document.read(field);
  const spec = document.fields("spec") ?? document;
  const matches = spec.list("matchImageReferences");
  const { images, untranslated } = patternsOf(matches);
  const [only, ...more] = untranslated;
  const rest = only !== undefined && more.length === 0 && images.length === 0 ? fromOtherwise(only) : undefined;
  if (untranslated.length > 0 && rest === undefined) {
    draft.note(
      "refused",
      spec.place("matchImageReferences"),
      "a pattern or expression has no equal: images that only it matches are refused",
    );
  }
  const actions = spec.texts("validationActions");
  const configuration = spec.fields("validationConfigurations");
  const [mutates, verifies] = [configuration?.flag("mutateDigest"), configuration?.flag("verifyDigest")];
  const constraints = spec.fields("matchConstraints");
  if (constraints && !isAboutPods(constraints)) {
    draft.note(
      "stricter",
      spec.place("matchConstraints"),
      "matchConstraints has no equal: the rule decides on images wherever they are used",
    );
  }
  draft.broader(spec, "matchConditions");
  noteFailurePolicy(spec, draft);
  const isJson = spec.fields("evaluation")?.text("mode") === "JSON";
  const members = new Map<string, Member | undefined>();
  for (const each of spec.list("attestors")) {
    if (!isNobody(each)) members.set(each.text("name") ?? "", readAttestor(each, draft));
  }
  const types = new Map(
    spec.list("attestations").map((each) => [each.text("name") ?? "", each.fields("intoto")?.text("type")]),
  );
  const outcome = isJson ? "policies for JSON have no equal" : outcomeOf(spec, { draft, members, types });
  draft.unused(spec, ...UNUSED);
  const isKnown = typeof outcome === "string" || !draft.unknown(spec, `${name} refuses its images`);
  const reason = isKnown ? outcome : "unknown fields";
  if (typeof reason === "string")
    draft.note("refused", spec.place("validations"), `${reason}: ${name} refuses its images`);
  draft.note("stricter", spec.place(), "Kyverno admits images that no policy matches; they are refused here");
  return {
    ...{ name, place: spec.place(), images, everywhere: untranslated.length > 0 || typeof reason === "string" },
    effect: actions.length === 0 || actions.includes("Deny") ? "enforce" : actions.includes("Warn") ? "warn" : "audit",
    pinned: mutates === false && verifies !== false,
    outcome: typeof reason === "string" ? { refuse: `imported policy ${name}: ${reason}` } : reason,
    ...(rest !== undefined && typeof reason !== "string" && "refuse" in reason ? { otherwise: rest } : {}),
  };
}

/** The patterns of globs, and of the expressions that this program writes. */
function patternsOf(matches: readonly Fields[]): Translated {
  const images: string[] = [];
  const untranslated: string[] = [];
  if (matches.length === 0) return fromKyverno(["*"]);
  for (const match of matches) {
    const [glob, expression] = [match.text("glob"), match.text("expression")];
    const own = expression === undefined ? undefined : fromExpression(expression);
    if (glob !== undefined) {
      const read = fromKyverno([glob]);
      images.push(...read.images);
      untranslated.push(...read.untranslated);
    } else if (own) images.push(...own);
    else untranslated.push(expression ?? "");
  }
  return { images: [...new Set(images)], untranslated };
}

function isAboutPods(constraints: Fields): boolean {
  const rules = constraints.list("resourceRules");
  return (
    rules.length > 0 &&
    rules.every(
      (rule) => rule.texts("resources").includes("pods") && !rule.has("resourceNames") && !rule.has("scope"),
    ) &&
    constraints.rest().length === 0
  );
}

interface Named {
  readonly draft: Draft;
  readonly members: ReadonlyMap<string, Member | undefined>;
  readonly types: ReadonlyMap<string, string | undefined>;
}

/** What the validations demand together; the reason if one of them has no equal. */
function outcomeOf(spec: Fields, named: Named): Outcome | string {
  const signed: Member[] = [];
  const attestations: AttestationText[] = [];
  for (const validation of spec.list("validations")) {
    const message = validation.text("message");
    const expression = validation.text("expression") ?? "";
    named.draft.unused(validation, "messageExpression", "reason");
    if (expression === NO_IMAGE) return { refuse: message ?? "refused by the imported policy" };
    if (expression === "false") return "every Pod is refused";
    if (expression === "true" && spec.list("validations").length === 1) return { accept: true };
    for (const part of expression.replace(/\s+/g, "").split("&&")) {
      const read = readCall(part, named, validation);
      if (read === undefined) return "a validation has no equal";
      if (read.type === undefined) signed.push(read.member);
      else attestations.push({ type: read.type, ...evidenceOf(read.member) });
    }
  }
  if (signed.length === 0 && attestations.length === 0) return "no validation of signatures";
  const context = { draft: named.draft, place: spec.place("validations"), build: allOf };
  return {
    ...(signed.length > 0 ? { signatures: evidenceOf(merge(signed, context)) } : {}),
    ...(attestations.length > 0 ? { attestations } : {}),
  };
}

function readCall(part: string, named: Named, place: Fields): { type: string | undefined; member: Member } | undefined {
  const mapped = MAPPED.exec(part);
  const all = mapped ? null : ALL.exec(part);
  const [variable, call = "", operator, bound] = mapped
    ? [mapped[1], mapped[2], mapped[4], mapped[5]]
    : [all?.[1], all?.[2], all?.[3], all?.[4]];
  const [signatures, attested] = [SIGNATURES.exec(call), ATTESTATIONS.exec(call)];
  if (bound === undefined || (signatures ?? attested)?.[1] !== variable) return undefined;
  const names = ((signatures?.[2] ?? attested?.[3]) || "").split(",").map((each) => each.replace("attestors.", ""));
  const type = attested ? named.types.get(attested[2] ?? "") : undefined;
  if (attested && type === undefined) return undefined;
  const members = [...new Set(names)].map((name) => named.members.get(name));
  const count = operator === ">" ? Number(bound) + 1 : Number(bound);
  const known = members.flatMap((each) => each ?? []);
  // `== n` refuses an image that more attestors than n have signed; only for all of them it is the same as `>= n`.
  if (operator === "==" && count !== members.length) return undefined;
  if (count < 1 || known.length < count) return undefined;
  if (known.length < members.length) {
    named.draft.note(
      "stricter",
      place.place("expression"),
      `${members.length - known.length} of ${members.length} attestors do not count`,
    );
  }
  const build = (signers: readonly Requirement[]) => countOf(count, signers);
  return { type, member: merge(known, { draft: named.draft, place: place.place("expression"), build }) };
}

function readAttestor(fields: Fields, draft: Draft): Member | undefined {
  const name = fields.text("name") ?? "attestor";
  const cosign = fields.fields("cosign");
  const refuse = (text: string, ...path: string[]) => {
    draft.note("refused", fields.place(...path), `${text}: signatures by ${name} do not count`);
    return undefined;
  };
  if (!cosign) return refuse("an attestor that is not for cosign has no equal");
  for (const field of ["certificate", "annotations"]) {
    if (cosign.has(field)) return refuse(`${field} has no equal`, "cosign", field);
  }
  const [key, keyless, log, source] = [
    cosign.fields("key"),
    cosign.fields("keyless"),
    cosign.fields("ctlog"),
    cosign.fields("source"),
  ];
  if (source)
    draft.note(
      "stricter",
      cosign.place("source"),
      "source: signatures are looked for beside the image, or in COSIGN_REPOSITORY",
    );
  const ignoreSct = log?.flag("insecureIgnoreSCT") === true;
  const ignoreTlog = log?.flag("insecureIgnoreTlog") === true;
  if (log) draft.unused(log, "url");
  const chain = log?.text("tsaCertChain");
  const roots = keyless?.text("roots");
  const own = [
    ...["rekorPubKey", "ctLogPubKey"].filter((each) => log?.text(each) !== undefined),
    ...(chain === undefined ? [] : ["tsaCertChain"]),
    ...(roots === undefined ? [] : ["roots"]),
    ...["tuf", "trustedRoot"].filter((each) => cosign.has(each)),
  ];
  for (const each of ["tuf", "trustedRoot"]) cosign.read(each);
  const trust =
    own.length === 0
      ? sctTrust(ignoreSct && keyless !== undefined, draft)
      : trustFile(name, { draft, place: cosign.place(), what: own.join(", "), ignoreSct });
  const signers = key ? readKey(key, { name, trust, draft }) : readIdentities(keyless, trust, draft);
  const unknown = [fields, cosign, log].some(
    (each) => each && draft.unknown(each, `signatures by ${name} do not count`),
  );
  if (unknown || signers === undefined) return refuse("an attestor that cannot be imported");
  return {
    signers: anyOf(signers),
    log: ignoreTlog ? "insecure-skip" : "required",
    timestamp: chain === undefined ? "optional" : "required",
    form: "any",
  };
}

function readKey(
  key: Fields,
  options: { name: string; trust: string | undefined; draft: Draft },
): string[] | undefined {
  const { name, trust, draft } = options;
  const [data, kms, hash] = [key.text("data"), key.text("kms"), key.text("hashAlgorithm")];
  if (hash !== undefined && hash !== "sha256") {
    draft.note(
      "stricter",
      key.place("hashAlgorithm"),
      `hashAlgorithm ${hash}: only the hash that is usual for the key counts`,
    );
  }
  const reference = data ?? kms;
  if (reference === undefined || draft.unknown(key, "its signatures do not count")) return undefined;
  return keySigners(name, reference, draft).map((each) => draft.withTrust(each, trust));
}

function readIdentities(keyless: Fields | undefined, trust: string | undefined, draft: Draft): string[] | undefined {
  const names = keyless
    ?.list("identities")
    .map((each) => identitySigner(each, { draft, trust, wild: false, names: SIGSTORE_FIELDS }))
    .flatMap((each) => each ?? []);
  if (!keyless || !names || names.length === 0 || draft.unknown(keyless, "its signatures do not count"))
    return undefined;
  return names;
}
