import { predicateTypeOf } from "../../sign/predicates.ts";
import { LISTS, NO_IMAGE, NOBODY, otherwise, toExpression, VOLUMES } from "../import/expression.ts";
import type { EvidenceText, RuleText, SignerText } from "../schema.ts";
import { type ExportContext, imagesOf } from "./context.ts";
import { identityFields, NoEqual, type Part, partsOf, resourceName, trustOf } from "./demands.ts";

const ACTIONS = { enforce: "Deny", warn: "Warn", audit: "Audit" } as const;
/** Kyverno would derive rules for workloads from a rule for `pods` alone, which leaves out ephemeral containers. */
const PODS = {
  resourceRules: [
    {
      apiGroups: [""],
      apiVersions: ["v1"],
      operations: ["CREATE", "UPDATE"],
      resources: ["pods", "pods/ephemeralcontainers"],
    },
  ],
};

type Fields = Record<string, unknown>;

/** Writes ImageValidatingPolicies (v1) for Kyverno: one for each rule, and one that refuses what no rule matches. */
export async function writeImageValidatingPolicies(context: ExportContext): Promise<unknown[]> {
  const { policy, note } = context;
  const used = new Set<string>();
  const documents: unknown[] = [];
  const add = (name: string, spec: Fields) =>
    documents.push({
      apiVersion: "policies.kyverno.io/v1",
      kind: "ImageValidatingPolicy",
      metadata: { name: resourceName(name, used) },
      spec: { attestors: [NOBODY], ...spec, images: [VOLUMES], matchConstraints: PODS },
    });
  const all: string[] = [];
  for (const [index, rule] of policy.rules.entries()) {
    const images = imagesOf(rule);
    if (images.length === 0) {
      note("refused", index, "a rule for files is not exported");
      continue;
    }
    all.push(...images);
    const body = await bodyOf(rule, index, context);
    const pinned = rule.digest === undefined ? {} : { mutateDigest: false, verifyDigest: true };
    // Kyverno refuses images whose signatures no policy looked at, and those without a digest, unless it is told otherwise.
    const open = rule.insecureAcceptAnything ? { required: false, mutateDigest: false, verifyDigest: false } : {};
    const configuration = { ...open, ...pinned };
    add(rule.name ?? `rule-${index + 1}`, {
      validationActions: [ACTIONS[rule.effect ?? "enforce"]],
      matchImageReferences: [{ expression: toExpression(images) }],
      ...(Object.keys(configuration).length > 0 ? { validationConfigurations: configuration } : {}),
      ...body,
    });
  }
  add("no-rule-matches", {
    validationActions: ["Deny"],
    matchImageReferences: [{ expression: otherwise([...new Set(all)]) }],
    validations: [{ expression: NO_IMAGE, message: "no rule matches" }],
  });
  return documents;
}

/** The attestors and validations of a rule; a validation that fails if it has no equal. */
async function bodyOf(rule: RuleText, index: number, context: ExportContext): Promise<Fields> {
  if (rule.insecureAcceptAnything) return { validations: [{ expression: "true" }] };
  if (rule.refuse !== undefined) return { validations: [{ expression: NO_IMAGE, message: rule.refuse }] };
  try {
    return await demandsOf(rule, context);
  } catch (error) {
    if (!(error instanceof NoEqual)) throw error;
    context.note("refused", index, `ImageValidatingPolicy cannot demand it: ${error.message}; its images are refused`);
    return { validations: [{ expression: NO_IMAGE, message: `not exported: ${error.message}` }] };
  }
}

async function demandsOf(rule: RuleText, context: ExportContext): Promise<Fields> {
  const attestors = new Map<string, Fields>();
  const attestations: Fields[] = [];
  const validations: Fields[] = [];
  const demands = [...(rule.signatures ? [rule.signatures] : []), ...(rule.attestations ?? [])];
  for (const [number, demand] of demands.entries()) {
    requireEqual(demand);
    const type = "type" in demand ? predicateTypeOf(String(demand.type)) : undefined;
    const attestation = `attestation${number}`;
    if (type !== undefined) attestations.push({ name: attestation, intoto: { type } });
    for (const part of partsOf(demand.signers, context.policy)) {
      const names: string[] = [];
      for (const signer of part.signers) {
        const name = `${signer.replace(/[^A-Za-z0-9]+/g, "_")}_${number}`;
        attestors.set(name, { name, cosign: await attestorOf(signer, demand, context) });
        names.push(name);
      }
      validations.push({
        expression: expressionOf(part, names, type === undefined ? undefined : attestation),
        message: `expected signers: ${part.signers.join(", ")}`,
      });
    }
  }
  return {
    attestors: [...attestors.values()],
    ...(attestations.length > 0 ? { attestations } : {}),
    validations,
  };
}

function expressionOf({ count }: Part, names: readonly string[], attestation: string | undefined): string {
  const listed = `[${names.map((name) => `attestors.${name}`).join(", ")}]`;
  const call =
    attestation === undefined
      ? `verifyImageSignatures(image, ${listed})`
      : `verifyAttestationSignatures(image, attestations.${attestation}, ${listed})`;
  return LISTS.map((list) => `images.${list}.map(image, ${call}).all(e, e >= ${count})`).join(" && ");
}

type Demand = EvidenceText | NonNullable<RuleText["attestations"]>[number];

function requireEqual(demand: Demand): void {
  if (demand.maxAge !== undefined) throw new NoEqual("maxAge");
  if (demand.timestamp === "required") throw new NoEqual("a timestamp");
  if (demand.logs !== undefined) throw new NoEqual("logs");
  if (demand.form === "bundle" || demand.form === "legacy") throw new NoEqual(`form: ${demand.form}`);
  if (!("type" in demand)) return;
  for (const field of ["policy", "slsa", "vsa", "vulnerabilities"] as const) {
    if (demand[field] !== undefined) throw new NoEqual(field);
  }
}

async function attestorOf(name: string, demand: Demand, context: ExportContext): Promise<Fields> {
  const signer = context.policy.signers?.[name];
  if (!signer) throw new NoEqual(`signer ${name}`);
  if (signer.until !== undefined) throw new NoEqual("until");
  const { insecureIgnoreSct, ...material } = trustOf(signer, demand, context.policy)?.material ?? {};
  if (Object.keys(material).length > 0) throw new NoEqual("trusted material of its own");
  const log = {
    ...(demand.log === "insecure-skip" ? { insecureIgnoreTlog: true } : {}),
    ...(insecureIgnoreSct ? { insecureIgnoreSCT: true } : {}),
  };
  const ctlog = Object.keys(log).length > 0 ? { ctlog: log } : {};
  if (signer.key === undefined) return { keyless: { identities: [identityFields(signer)] }, ...ctlog };
  return { key: await keyOf(signer, context), ...ctlog };
}

async function keyOf({ key = "" }: SignerText, { pem }: ExportContext): Promise<Fields> {
  if (/^(?:awskms|gcpkms|azurekms|hashivault|k8s):\/\//.test(key)) return { kms: key };
  return { data: key.includes("-----BEGIN") ? key : await pem(key) };
}
