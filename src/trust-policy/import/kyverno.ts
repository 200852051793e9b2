import type { AttestationText } from "../schema.ts";
import type { Outcome, Unit } from "./combine.ts";
import { allOf, type Draft, evidenceOf, merge } from "./draft.ts";
import { readAttestorSet } from "./kyverno-attestors.ts";
import { fromKyverno } from "./patterns.ts";
import type { Fields } from "./source.ts";

/** Kinds that run images; a rule for them decides on all images. */
const KINDS = /^(?:[^/]+\/)*(?:Pod|Deployment|StatefulSet|DaemonSet|ReplicaSet|ReplicationController|Job|CronJob)$/;
/** Fields of a policy that change no verdict. */
const SPEC_UNUSED = [
  ...["background", "admission", "webhookTimeoutSeconds", "webhookConfiguration", "schemaValidation", "applyRules"],
  ...["useServerSideApply", "generateExisting", "mutateExistingOnPolicyUpdate", "emitWarning"],
];

/** Reads the verifyImages of a ClusterPolicy or Policy of Kyverno: one unit for each entry. */
export function readClusterPolicy(document: Fields, draft: Draft): Unit[] {
  const policy = document.fields("metadata")?.text("name") ?? "policy";
  for (const name of ["apiVersion", "kind", "status"]) document.read(name);
  const spec = document.fields("spec");
  if (!spec) return [];
  const action = spec.text("validationFailureAction");
  draft.unused(spec, ...SPEC_UNUSED);
  noteFailurePolicy(spec, draft);
  const overridden = spec
    .list("validationFailureActionOverrides")
    .some((each) => /^enforce$/i.test(each.text("action") ?? ""));
  if (spec.has("validationFailureActionOverrides")) {
    draft.note(
      "stricter",
      spec.place("validationFailureActionOverrides"),
      "validationFailureActionOverrides: the strictest action decides",
    );
  }
  const units: Unit[] = [];
  for (const rule of spec.list("rules")) {
    const name = rule.text("name") ?? policy;
    const entries = rule.list("verifyImages");
    if (entries.length === 0) {
      draft.note("unused", rule.place(), `rule ${name} verifies no image`);
      continue;
    }
    readScope(rule, draft);
    draft.unused(rule, "skipBackgroundRequests", "reportProperties", "context");
    draft.broader(rule, "preconditions", "celPreconditions", "exclude", "imageExtractors");
    const unknown = draft.unknown(rule, `${name} refuses its images`);
    for (const [index, entry] of entries.entries()) {
      units.push(
        readEntry(entry, {
          draft,
          policyAction: overridden ? "Enforce" : action,
          unknown,
          name: `${name}${index === 0 ? "" : ` ${index + 1}`}`,
        }),
      );
    }
  }
  draft.unknown(spec, "its demands are not imported");
  draft.note("stricter", spec.place(), "Kyverno admits images that no rule matches; they are refused here");
  return units;
}

/** With Ignore, Kyverno admits an image that it cannot verify because of an error. */
export function noteFailurePolicy(spec: Fields, draft: Draft): void {
  if (!/^ignore$/i.test(spec.text("failurePolicy") ?? "")) return;
  const text =
    "failurePolicy Ignore: Kyverno admits images that an error keeps it from verifying; they are refused here";
  draft.note("stricter", spec.place("failurePolicy"), text);
}

/** Whether a rule decides on all Pods; what narrows it is named. */
function readScope(rule: Fields, draft: Draft): void {
  const match = rule.fields("match");
  if (!match) return;
  const filters = [...match.list("any"), ...match.list("all"), ...(match.has("resources") ? [match] : [])];
  for (const filter of filters) {
    const resources = filter.fields("resources");
    const kinds = resources?.texts("kinds") ?? [];
    if (resources) draft.unused(resources, "operations");
    const isOpen = kinds.length > 0 && kinds.every((kind) => KINDS.test(kind)) && resources?.rest().length === 0;
    if (!isOpen)
      draft.note("stricter", filter.place(), "match has no equal: the rule decides on images wherever they are used");
  }
}

interface EntryContext {
  readonly draft: Draft;
  readonly policyAction: string | undefined;
  /** Whether a field of the rule has no equal. */
  readonly unknown: boolean;
  readonly name: string;
}

function readEntry(entry: Fields, { draft, policyAction, unknown, name }: EntryContext): Unit {
  const references = [...entry.texts("imageReferences"), ...[entry.text("image")].flatMap((image) => image ?? [])];
  const { images, untranslated } = fromKyverno(references);
  for (const pattern of untranslated) {
    draft.note(
      "refused",
      entry.place("imageReferences"),
      `pattern "${pattern}" has no equal: images that only it matches are refused`,
    );
  }
  if (entry.texts("skipImageReferences").length > 0) {
    draft.note(
      "stricter",
      entry.place("skipImageReferences"),
      "skipImageReferences has no equal: these images are verified, too",
    );
  }
  const action = entry.text("failureAction") ?? policyAction;
  const [mutates, verifies] = [entry.flag("mutateDigest"), entry.flag("verifyDigest")];
  draft.unused(entry, "useCache", "imageRegistryCredentials", "required", "cosignOCI11");
  const outcome = outcomeOf(entry, name, draft);
  const isRefused = "refuse" in outcome || draft.unknown(entry, `${name} refuses its images`) || unknown;
  return {
    ...{ name, place: entry.place(), images, everywhere: untranslated.length > 0 },
    effect: /^enforce$/i.test(action ?? "") ? "enforce" : "audit",
    pinned: mutates === false && verifies !== false,
    outcome: isRefused && !("refuse" in outcome) ? { refuse: `imported rule ${name}: unknown fields` } : outcome,
  };
}

function outcomeOf(entry: Fields, name: string, draft: Draft): Outcome {
  const refuse = (text: string, field?: string): Outcome => {
    draft.note(
      "refused",
      field === undefined ? entry.place() : entry.place(field),
      `${text}: ${name} refuses its images`,
    );
    return { refuse: `imported rule ${name}: ${text}` };
  };
  const type = entry.text("type") ?? "Cosign";
  const form = type === "SigstoreBundle" ? "bundle" : "any";
  if (type !== "Cosign" && type !== "SigstoreBundle") return refuse(`signatures of type ${type} have no equal`, "type");
  // Before attestors, an entry had one key or identity of its own.
  for (const field of ["key", "roots", "subject", "issuer", "additionalExtensions", "annotations"]) {
    if (entry.has(field)) return refuse(`${field} of an entry has no equal`, field);
  }
  if (entry.has("validate")) return refuse("validate has no equal", "validate");
  if (entry.text("repository") !== undefined) {
    draft.note(
      "stricter",
      entry.place("repository"),
      "repository: signatures are looked for beside the image, or in COSIGN_REPOSITORY",
    );
  }
  const sets = entry.list("attestors");
  const signed = sets.map((set) => readAttestorSet(set, { draft, name, form }));
  if (signed.includes(undefined)) return refuse("an attestor set cannot be met", "attestors");
  const members = signed.flatMap((each) => each ?? []);
  const attestations: AttestationText[] = [];
  for (const each of entry.list("attestations")) {
    const read = readAttestation(each, { draft, name, form });
    if (typeof read === "string") return refuse(read, "attestations");
    attestations.push(...read);
  }
  if (members.length === 0 && attestations.length === 0) return refuse("no attestor and no attestation");
  if (form === "any") {
    draft.note("forms", entry.place("type"), "type Cosign reads the legacy form only; both forms are accepted here");
  }
  const context = { draft, place: entry.place("attestors"), build: allOf };
  return {
    ...(members.length > 0 ? { signatures: evidenceOf(merge(members, context)) } : {}),
    ...(attestations.length > 0 ? { attestations } : {}),
  };
}

/** An attestation; the reason if it has no equal. */
function readAttestation(
  fields: Fields,
  context: { draft: Draft; name: string; form: "any" | "bundle" },
): AttestationText[] | string {
  const { draft } = context;
  const old = fields.text("predicateType");
  const type = fields.text("type") ?? old;
  draft.unused(fields, "name");
  if (type === undefined) return "attestation without a type";
  if (fields.has("conditions")) {
    draft.note("refused", fields.place("conditions"), "conditions have no equal: write them in CUE or Rego");
    return "conditions of an attestation have no equal";
  }
  const sets = fields.list("attestors").map((set) => readAttestorSet(set, context));
  if (sets.length === 0) return "an attestation without attestors, by any signer";
  if (sets.includes(undefined)) return "an attestor set cannot be met";
  if (draft.unknown(fields, "the attestation has no equal")) return "unknown fields of an attestation";
  const merged = merge(
    sets.flatMap((each) => each ?? []),
    { draft, place: fields.place("attestors"), build: allOf },
  );
  return [{ type, ...evidenceOf(merged) }];
}
