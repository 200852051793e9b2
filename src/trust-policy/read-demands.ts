import { isDigest } from "../format/digest.ts";
import { predicateTypeOf, requirePredicateType } from "../sign/predicates.ts";
import { at, type Fault } from "./faults.ts";
import type { AttestationDemand, Demand, PolicyText, SlsaDemand, VsaDemand } from "./model.ts";
import { compilePattern } from "./patterns.ts";
import type { RuleContext } from "./read-requirements.ts";
import { requireName } from "./read-signers.ts";
import type { AttestationText, EvidenceText, PatternText } from "./schema.ts";

const PROVENANCE = ["https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1"];
const VULNERABILITIES = "https://cosign.sigstore.dev/attestation/vuln/v1";
/** SLSA v1.1, "Verification Summary Attestation". */
export const SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1";
const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/**
 * Reads what a rule demands of signatures, or of attestations of one type.
 *
 * @throws TsignError "input"
 */
export async function readDemand(
  text: EvidenceText | AttestationText,
  path: Fault["path"],
  context: RuleContext,
): Promise<Demand> {
  const { trust, requirements, refuse } = context;
  if (text.trust !== undefined)
    requireName(text.trust, { names: trust, path: [...path, "trust"], refuse, kind: "trust" });
  if (text.logs !== undefined && text.log === "insecure-skip") {
    refuse([...path, "logs"], "logs cannot be used with log: insecure-skip", "remove one of them");
  }
  return {
    signers: requirements(text.signers, [...path, "signers"]),
    log: text.log === "insecure-skip" ? "insecureSkip" : "required",
    logs: text.logs,
    timestamp: text.timestamp ?? "optional",
    form: text.form ?? "any",
    maxAge: text.maxAge === undefined ? undefined : milliseconds(text.maxAge),
    trust: text.trust,
    attestation: "type" in text ? await readAttestation(text, path, context) : undefined,
  };
}

async function readAttestation(
  text: AttestationText,
  path: Fault["path"],
  context: RuleContext,
): Promise<AttestationDemand> {
  const { refuse } = context;
  await at([...path, "type"], refuse, () => requirePredicateType(text.type));
  const predicateType = predicateTypeOf(text.type);
  if (text.slsa !== undefined && !PROVENANCE.includes(predicateType)) {
    refuse([...path, "slsa"], "slsa requires a provenance type", "write type: slsaprovenance1");
  }
  if (text.vulnerabilities !== undefined && predicateType !== VULNERABILITIES) {
    refuse([...path, "vulnerabilities"], "vulnerabilities requires type vuln", "write type: vuln");
  }
  if ((text.vsa !== undefined) !== (predicateType === SUMMARY_TYPE)) {
    if (text.vsa !== undefined)
      refuse([...path, "vsa"], `vsa requires type ${SUMMARY_TYPE}`, `write type: ${SUMMARY_TYPE}`);
    // The summary of a failed verification is signed, too.
    refuse([...path, "type"], "missing vsa", "write vsa: {verifier: ID}");
  }
  const { vulnerabilities } = text;
  if (vulnerabilities !== undefined && vulnerabilities.maxAge === undefined && vulnerabilities.worst === undefined) {
    refuse([...path, "vulnerabilities"], "demands nothing", "write maxAge: or worst:");
  }
  if (vulnerabilities?.ignore !== undefined && vulnerabilities.worst === undefined) {
    refuse([...path, "vulnerabilities", "ignore"], "ignore requires worst", "write worst: SEVERITY");
  }
  return {
    predicateType,
    policies: (text.policy ?? []).map((policy, index) => policyText(policy, index, path, context)),
    slsa: text.slsa && (await readSlsa(text.slsa, [...path, "slsa"], context)),
    vsa: text.vsa && (await readVsa(text.vsa, [...path, "vsa"], context)),
    vulnerabilities: vulnerabilities && {
      maxAge: vulnerabilities.maxAge === undefined ? undefined : milliseconds(vulnerabilities.maxAge),
      worst: vulnerabilities.worst,
      ignore: vulnerabilities.ignore ?? [],
    },
  };
}

/** Gives an inline policy a name that ends as its language's files do, and says where it is. */
function policyText(
  policy: NonNullable<AttestationText["policy"]>[number],
  index: number,
  path: Fault["path"],
  context: RuleContext,
): PolicyText {
  if ("file" in policy) {
    if (!/\.(?:cue|rego)$/.test(policy.file)) {
      context.refuse(
        [...path, "policy", index, "file"],
        "expected a .cue or .rego file",
        "write a path that ends with .cue or .rego",
      );
    }
    return policy;
  }
  const name = `${context.path}.${path.slice(1).join(".")}.policy.${index}`;
  return "cue" in policy ? { path: `${name}.cue`, text: policy.cue } : { path: `${name}.rego`, text: policy.rego };
}

async function readSlsa(
  text: NonNullable<AttestationText["slsa"]>,
  path: Fault["path"],
  { builders, refuse }: RuleContext,
): Promise<SlsaDemand> {
  const compile = async (field: "builder" | "source" | "ref" | "buildType") => {
    const pattern = text[field];
    return pattern === undefined ? undefined : await at([...path, field], refuse, () => compilePattern(pattern));
  };
  if (Object.keys(text).length === 0) refuse(path, "demands nothing", "write builder:, source: and so on");
  if (text.level !== undefined && builders.length === 0) {
    refuse([...path, "level"], "level requires builders", "write at the top: builders: [{builder: ID, level: 3}]");
  }
  const { commit, level } = text;
  return {
    builder: await compile("builder"),
    source: await compile("source"),
    ref: await compile("ref"),
    buildType: await compile("buildType"),
    commit,
    level,
  };
}

async function readVsa(
  text: NonNullable<AttestationText["vsa"]>,
  path: Fault["path"],
  { refuse }: RuleContext,
): Promise<VsaDemand> {
  const { policy, resource } = text;
  const compile = (field: "policy" | "resource", pattern: PatternText | undefined) =>
    pattern === undefined ? undefined : at([...path, field], refuse, () => compilePattern(pattern));
  const digests = typeof text.policyDigest === "string" ? [text.policyDigest] : text.policyDigest;
  const policyDigests = digests?.map((digest) => {
    if (isDigest(digest) && digest.startsWith("sha256:")) return digest;
    return refuse([...path, "policyDigest"], `"${digest}" is not a SHA-256 digest`, "write sha256:<64 hex digits>");
  });
  return {
    verifier: await at([...path, "verifier"], refuse, () => compilePattern(text.verifier)),
    policy: await compile("policy", policy),
    policyDigests,
    resource: typeof resource === "object" && "own" in resource ? "own" : await compile("resource", resource),
    level: text.level,
  };
}

function milliseconds(duration: string): number {
  return Number(duration.slice(0, -1)) * UNITS[duration.slice(-1) as keyof typeof UNITS];
}
