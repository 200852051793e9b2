import type { TsignError } from "../errors.ts";
import { isCovered } from "./glob.ts";
import type { Demand, Rule, Signer, TextPattern, TrustPolicy, VsaDemand } from "./model.ts";
import { signersOf } from "./read-requirements.ts";
import { describe } from "./requirement.ts";
import type { PolicySources } from "./sources.ts";

/** What is noticed in a policy that can be read. An error makes the policy unusable; a warning may be intended. */
export interface Finding {
  readonly level: "error" | "warning";
  readonly place: string;
  readonly text: string;
}

/**
 * Returns what deserves a look in a policy: rules that never decide, patterns that may match more than intended, skipped checks,
 * signers that nobody uses, and signers that have ended.
 */
export function checkPolicy(policy: TrustPolicy, now: Date): Finding[] {
  const { rules, signers, path } = policy;
  const warning = (place: string, text: string): Finding => ({ level: "warning", place, text });
  const used = new Set(rules.flatMap(({ demands }) => demands.flatMap((demand) => signersOf(demand.signers))));
  return [
    ...rules.flatMap((rule) => shadowed(rule, rules).map((text) => warning(rule.place, text))),
    ...rules.flatMap((rule) => weaknesses(rule).map((text) => warning(rule.place, text))),
    ...rules.flatMap((rule) => unmeetable(rule, signers, now).map((text) => warning(rule.place, text))),
    ...[...signers.values()].flatMap((signer) => loosePatterns(signer).map((text) => warning(path, text))),
    ...[...signers.keys()]
      .filter((name) => !used.has(name))
      .map((name) => warning(path, `signer ${name} is not used by any rule`)),
    ...(policy.unmatched === "enforce"
      ? []
      : [warning(path, `unmatched: ${policy.unmatched} accepts every image that no rule matches`)]),
  ];
}

/**
 * Opens every key, and returns those that cannot be opened. Keys in services are asked for over the network.
 *
 * @param isError whether an exception is a failure to open, and not a defect
 */
export async function checkKeys(
  policy: TrustPolicy,
  sources: PolicySources,
  isError: (error: unknown) => error is TsignError,
): Promise<Finding[]> {
  const signers = [...policy.signers.values()].flatMap((each) =>
    each.kind === "key" ? [{ name: `signer ${each.name}`, reference: each.reference }] : [],
  );
  const denied = policy.denied.keys.map(({ reference }) => ({ name: "denied key", reference }));
  const findings: Finding[] = [];
  for (const { name, reference } of [...signers, ...denied]) {
    try {
      await sources.key(reference);
    } catch (error) {
      if (!isError(error)) throw error;
      findings.push({ level: "error", place: policy.path, text: `${name}: ${error.message}` });
    }
  }
  return findings;
}

/** Whether earlier rules match everything that a rule, or one of its patterns, matches. */
function shadowed(rule: Rule, rules: readonly Rule[]): string[] {
  const before = rules.slice(0, rule.index);
  const covered = rule.images.filter(({ tag, repository }) => {
    const earlier = before.flatMap(({ images }) => images);
    const whole = earlier.filter((each) => each.tag === undefined).map((each) => each.repository);
    if (isCovered(repository, whole)) return true;
    return (
      tag !== undefined &&
      earlier.some((each) => each.tag && isCovered(tag, [each.tag]) && isCovered(repository, [each.repository]))
    );
  });
  const files = rule.files.filter((file) =>
    isCovered(
      file,
      before.flatMap((each) => each.files),
    ),
  );
  const all = covered.length === rule.images.length && files.length === rule.files.length;
  const texts = [...covered, ...files].map(({ text }) => text);
  if (texts.length === 0) return [];
  if (all) return [`${rule.name} never decides: earlier rules match all that it matches`];
  return texts.map((text) => `${rule.name}: earlier rules match all that "${text}" matches`);
}

/** Checks that a rule leaves out. */
function weaknesses({ name, images, effect, demands, acceptsAnything }: Rule): string[] {
  return [
    ...(acceptsAnything ? [`${name} accepts images without a signature`] : []),
    ...(effect === "enforce" ? [] : [`${name} refuses nothing: its effect is ${effect}`]),
    ...demands.flatMap(({ log }) => (log === "insecureSkip" ? [`${name} skips the transparency log`] : [])),
    ...images.flatMap(({ text, tag }) =>
      tag === undefined ? [] : [`${name}: "${text}" does not match images that are named by digest`],
    ),
  ];
}

/** Demands that no new signature can meet, because a signer they need is retired. */
function unmeetable(rule: Rule, signers: ReadonlyMap<string, Signer>, now: Date): string[] {
  return rule.demands.flatMap((demand) =>
    [...new Set(signersOf(demand.signers))].flatMap((name) => {
      const until = signers.get(name)?.until;
      if (until === undefined) return [];
      if (demand.log === "insecureSkip" && demand.timestamp === "optional") {
        return [`${rule.name}: ${name} is retired, which needs a trusted time: demand the log or a timestamp`];
      }
      return until > now
        ? []
        : [`${rule.name}: ${name} is retired since ${until.toISOString()}${expired(demand, until, now)}`];
    }),
  );
}

function expired({ maxAge }: Demand, until: Date, now: Date): string {
  return maxAge !== undefined && until.getTime() + maxAge < now.getTime() ? ", longer ago than maxAge: remove it" : "";
}

function loosePatterns(signer: Signer): string[] {
  if (signer.kind === "key") {
    return signer.reference.startsWith("http://") ? [`signer ${signer.name}: the key is fetched without TLS`] : [];
  }
  const named = (field: string, { text, loose }: TextPattern) =>
    loose === undefined ? [] : [`signer ${signer.name}: ${field} ${text}: ${loose}`];
  // The owner or repository in the extensions narrows an open identity down.
  const isNarrow = [...signer.extensions].some(
    ([oid, { loose }]) => loose === undefined && /\.(?:5|9|12|15|16|17|18)$/.test(oid),
  );
  return [
    ...(isNarrow ? [] : named("identity", signer.identity)),
    ...named("issuer", signer.issuer),
    ...[...signer.extensions].flatMap(([oid, pattern]) => named(`extension ${oid}`, pattern)),
  ];
}

/** What a rule demands, one line each. */
export function describeRule({ pinned, acceptsAnything, refuses, demands, effect }: Rule): string[] {
  return [
    `effect: ${effect}`,
    ...(refuses === undefined ? [] : [`refuses every image: ${refuses}`]),
    ...(acceptsAnything ? ["accepts images without a signature"] : []),
    ...(pinned ? ["the image must be named by its digest"] : []),
    ...demands.map(describeDemand),
  ];
}

function describeDemand(demand: Demand): string {
  const { attestation, log, logs, timestamp, form, maxAge, trust } = demand;
  const parts = [
    `${attestation === undefined ? "signatures" : `attestations ${attestation.predicateType}`} by ${describe(demand.signers)}`,
    log === "required"
      ? `in ${logs === undefined ? "a trusted log" : logs.join(" or ")}`
      : "transparency log not checked",
    ...(timestamp === "required" ? ["with a signed timestamp"] : []),
    ...(form === "any" ? [] : [`${form} form only`]),
    ...(maxAge === undefined ? [] : [`at most ${maxAge / 3_600_000} h old`]),
    ...(trust === undefined ? [] : [`trusting ${trust}`]),
    ...(attestation?.slsa ? describeSlsa(attestation.slsa) : []),
    ...(attestation?.vsa ? describeVsa(attestation.vsa) : []),
    ...(attestation?.vulnerabilities ? describeScan(attestation.vulnerabilities) : []),
    ...(attestation?.policies.length ? [`${attestation.policies.length} CUE or Rego policies`] : []),
  ];
  return parts.join("; ");
}

function describeSlsa(slsa: NonNullable<NonNullable<Demand["attestation"]>["slsa"]>): string[] {
  const { builder, source, ref, buildType, commit, level } = slsa;
  const texts = Object.entries({ builder, source, ref, buildType }).flatMap(([name, pattern]) =>
    pattern === undefined ? [] : [`${name} ${pattern.text}`],
  );
  return [
    ...texts,
    ...(commit === undefined ? [] : [`commit ${commit}`]),
    ...(level === undefined ? [] : [`SLSA build level ${level}`]),
  ];
}

function describeVsa({ verifier, policy, policyDigests, resource, level }: VsaDemand): string[] {
  return [
    `verified by ${verifier.text}`,
    ...(policy === undefined ? [] : [`policy ${policy.text}`]),
    ...(policyDigests === undefined ? [] : [`policy with digest ${policyDigests.join(" or ")}`]),
    ...(resource === undefined
      ? []
      : [resource === "own" ? "resource: the image's repository" : `resource ${resource.text}`]),
    ...(level === undefined ? [] : [`SLSA build level ${level}`]),
  ];
}

function describeScan(demand: NonNullable<NonNullable<Demand["attestation"]>["vulnerabilities"]>): string[] {
  const { maxAge, worst } = demand;
  return [
    ...(maxAge === undefined ? [] : [`scanned at most ${maxAge / 3_600_000} h ago`]),
    ...(worst === undefined ? [] : [`at worst ${worst}`]),
  ];
}
