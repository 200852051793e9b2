import { predicateTypeOf } from "../../sign/predicates.ts";
import type { EvidenceText, RuleText, SignerText } from "../schema.ts";
import { type ExportContext, imagesOf } from "./context.ts";
import { identityFields, NoEqual, type Part, partsOf, resourceName, trustOf } from "./demands.ts";

const REKOR = "https://rekor.sigstore.dev";
const FULCIO = "https://fulcio.sigstore.dev";

type Spec = Record<string, unknown>;

/** Writes ClusterImagePolicies (v1beta1) for policy-controller: one for each demand of a rule, since all that match must be met. */
export async function writeClusterImagePolicies(context: ExportContext): Promise<unknown[]> {
  const { policy, note } = context;
  const used = new Set<string>();
  const documents: unknown[] = [];
  const add = (name: string, spec: Spec) =>
    documents.push({
      apiVersion: "policy.sigstore.dev/v1beta1",
      kind: "ClusterImagePolicy",
      metadata: { name: resourceName(name, used) },
      spec,
    });
  for (const { digest, reason } of policy.denied?.digests ?? []) {
    const message = reason ?? "denied by the policy";
    add("denied", { images: [{ glob: `**@${digest}` }], authorities: [{ static: { action: "fail", message } }] });
  }
  for (const [index, rule] of policy.rules.entries()) {
    const images = imagesOf(rule).flatMap(globsOf);
    if (images.length === 0) {
      note("refused", index, "a rule for files is not exported");
      continue;
    }
    const name = rule.name ?? `rule-${index + 1}`;
    const mode = rule.effect === "warn" ? { mode: "warn" } : {};
    if (rule.effect === "audit") note("stricter", index, "effect: audit has no equal: it is enforced");
    for (const authorities of await authoritiesOf(rule, index, context)) {
      add(name, { images: images.map((glob) => ({ glob })), ...mode, authorities });
    }
  }
  note("needs", undefined, "policy-controller must refuse what no policy matches (no-match-policy: deny, its default)");
  note("needs", undefined, "something else must refuse image volumes, at which policy-controller 0.15.1 does not look");
  return documents;
}

/** The globs of a pattern: they match tags and digests, too. */
function globsOf(image: string): string[] {
  const hasTag = image.lastIndexOf(":") > image.lastIndexOf("/");
  const [, host = "", path = image] = /^(?:(?:index\.|registry-1\.)?(docker\.io)\/)?(.*)$/s.exec(image) ?? [];
  const name =
    host === "" ? image : `index.docker.io/${path.includes("/") || path.startsWith("**") ? path : `library/${path}`}`;
  return hasTag || image.endsWith("*") ? [name] : [`${name}:*`, `${name}@*`];
}

/** The authorities of one policy for each demand; one that refuses if a demand has no equal. */
async function authoritiesOf(rule: RuleText, index: number, context: ExportContext): Promise<unknown[][]> {
  const fail = (message: string) => [[{ static: { action: "fail", message } }]];
  if (rule.insecureAcceptAnything) return [[{ static: { action: "pass" } }]];
  if (rule.refuse !== undefined) return fail(rule.refuse);
  try {
    if (rule.digest !== undefined) throw new NoEqual("digest: required");
    const policies: unknown[][] = [];
    for (const demand of [...(rule.signatures ? [rule.signatures] : []), ...(rule.attestations ?? [])]) {
      for (const part of partsOf(demand.signers, context.policy))
        policies.push(...(await policiesFor(part, demand, index, context)));
    }
    return policies;
  } catch (error) {
    if (!(error instanceof NoEqual)) throw error;
    context.note("refused", index, `ClusterImagePolicy cannot demand it: ${error.message}; its images are refused`);
    return fail(`not exported: ${error.message}`);
  }
}

type Demand = EvidenceText | NonNullable<RuleText["attestations"]>[number];

async function policiesFor(part: Part, demand: Demand, index: number, context: ExportContext): Promise<unknown[][]> {
  const { policy, note } = context;
  if (part.count > 1 && part.count < part.signers.length)
    throw new NoEqual(`at least ${part.count} of ${part.signers.length} signers`);
  const common = commonOf(demand);
  if (!("type" in demand) && demand.form !== "legacy") {
    note("stricter", index, "policy-controller reads image signatures in the legacy form only");
  }
  const authorities: unknown[] = [];
  for (const name of part.signers) {
    const signer = policy.signers?.[name];
    if (!signer) throw new NoEqual(`signer ${name}`);
    authorities.push({ name: name.toLowerCase(), ...(await authorityOf(signer, demand, index, context)), ...common });
  }
  return part.count === 1 ? [authorities] : authorities.map((each) => [each]);
}

function commonOf(demand: Demand): Spec {
  if (demand.maxAge !== undefined) throw new NoEqual("maxAge");
  const format = demand.form === "bundle" || demand.form === "legacy" ? { signatureFormat: demand.form } : {};
  if (!("type" in demand)) return format;
  for (const field of ["slsa", "vsa", "vulnerabilities"] as const)
    if (demand[field] !== undefined) throw new NoEqual(field);
  const [policy, ...more] = demand.policy ?? [];
  if (more.length > 0) throw new NoEqual("several policies for one attestation");
  if (policy && "file" in policy) throw new NoEqual("a policy in a file");
  const language =
    policy && ("cue" in policy ? { type: "cue", data: policy.cue } : { type: "rego", data: policy.rego });
  return {
    ...format,
    attestations: [
      { name: "attestation", predicateType: predicateTypeOf(demand.type), ...(language ? { policy: language } : {}) },
    ],
  };
}

async function authorityOf(signer: SignerText, demand: Demand, index: number, context: ExportContext): Promise<Spec> {
  if (signer.until !== undefined) throw new NoEqual("until");
  const trust = trustOf(signer, demand, context.policy);
  const { trustedRoot, insecureIgnoreSct, ...others } = trust?.material ?? {};
  if (Object.keys(others).length > 0) throw new NoEqual("authorities in files");
  // A TrustRoot must be made from the file; until then policy-controller refuses.
  const root =
    trustedRoot === undefined
      ? undefined
      : resourceName(trustedRoot.replace(/^.*[/\\]|(?:\.trusted-root)?\.json$/g, ""), new Set());
  if (root !== undefined) context.note("needs", index, `a TrustRoot ${root} with the content of ${trustedRoot}`);
  const rooted = root === undefined ? {} : { trustRootRef: root };
  const evidence = evidenceOf(demand, root);
  if (signer.key !== undefined) return { key: await keyOf(signer.key, context), ...evidence };
  const keyless = {
    ...(root === undefined ? { url: FULCIO } : { url: FULCIO, ...rooted }),
    identities: [identityFields(signer)],
    ...(insecureIgnoreSct ? { insecureIgnoreSCT: true } : {}),
  };
  return { keyless, ...evidence };
}

function evidenceOf(demand: Demand, root: string | undefined): Spec {
  const rooted = root === undefined ? {} : { trustRootRef: root };
  if (demand.timestamp === "required") {
    if (demand.log !== "insecure-skip") throw new NoEqual("a timestamp and a log entry");
    if (root === undefined) throw new NoEqual("a timestamp without a trusted root");
    return { rfc3161timestamp: rooted };
  }
  if (demand.log === "insecure-skip") return {};
  if (demand.logs !== undefined && (demand.logs.length > 1 || demand.logs[0]?.replace(/\/$/, "") !== REKOR)) {
    throw new NoEqual("logs");
  }
  return { ctlog: { url: REKOR, ...rooted } };
}

async function keyOf(reference: string, { pem }: ExportContext): Promise<Spec> {
  if (/^(?:awskms|gcpkms|azurekms|hashivault):\/\//.test(reference)) return { kms: reference };
  const [, namespace, name] = /^k8s:\/\/([^/]+)\/([^/]+)$/.exec(reference) ?? [];
  if (name !== undefined) return { secretRef: { name, namespace } };
  return { data: reference.includes("-----BEGIN") ? reference : await pem(reference) };
}
