import { TsignError } from "../errors.ts";
import type { Evidence, Found, Incomplete } from "../evidence/model.ts";
import { parseJson } from "../format/json.ts";
import { CandidateVerifier, isWanted } from "../images/candidates.ts";
import type { Wanted } from "../images/verdict.ts";
import type { Repository } from "../oci/ref.ts";
import type { PolicyIo } from "../policy/index.ts";
import type { Log, TrustedMaterial } from "../trust/material.ts";
import { PathBudget } from "../trust/path-budget.ts";
import type { Policy, TrustMaterial } from "../verify/model.ts";
import { isVerified, type Verdict, type Verified } from "../verify/verify.ts";
import type { Counted, DemandOutcome, NotCounted, SignerOutcome } from "./decision.ts";
import { earliestTime, formFault, gateFaults, principalOf, type Signed } from "./gates.ts";
import type { Demand, Signer, TrustPolicy } from "./model.ts";
import { signersOf } from "./read-requirements.ts";
import { describe, isMet, type Principal } from "./requirement.ts";
import { fingerprint, type PolicySources } from "./sources.ts";
import { scanTime } from "./vulnerabilities.ts";

/** Runs the one verifier on a candidate, about the image or file that is decided on. */
export type VerifyCandidate = (evidence: Evidence, trust: TrustMaterial, policy: Policy) => Promise<Verdict>;

export interface JudgeContext {
  readonly io: PolicyIo;
  readonly policy: TrustPolicy;
  readonly sources: PolicySources;
  readonly now: Date;
  /** The repository of the image as it is named; undefined for a file. */
  readonly image: Repository | undefined;
  readonly verify: VerifyCandidate;
}

/** The outcome of a demand, with what counts and what could not be searched. */
export interface Judged {
  readonly outcome: DemandOutcome;
  /** The signatures that count, each once. */
  readonly verified: readonly Verified[];
  readonly evidence: readonly Evidence[];
  readonly incomplete: readonly Incomplete[];
  /** The logs that were trusted. */
  readonly logs: readonly Log[];
}

/** What is looked for to meet a demand. */
export function wantedBy({ attestation }: Demand): Wanted {
  return attestation === undefined
    ? { kind: "signatures" }
    : { kind: "attestations", predicateType: attestation.predicateType };
}

/**
 * Decides whether signatures or attestations meet a demand. Each candidate is verified for each signer; what verifies counts
 * unless a gate stops it; then the principals are compared with the requirement.
 *
 * @param candidates all that is stored with the image, or given for the file
 * @throws TsignError of a key, root or file that the policy names and that cannot be opened; "limit"; the errors of the CUE and Rego
 * engine; and the exception of a defect of tsign, if nothing else meets the demand
 */
export async function judgeDemand(
  candidates: AsyncIterable<Found> | Iterable<Found>,
  demand: Demand,
  context: JudgeContext,
): Promise<Judged> {
  const names = [...new Set(signersOf(demand.signers))];
  const tries = await Promise.all(names.map((name) => openTry(context.policy.signers.get(name), demand, context)));
  const wrongForm: NotCounted[] = [];
  const incomplete: Incomplete[] = [];
  let count = 0;
  for await (const found of candidates) {
    if ("incomplete" in found) incomplete.push(found);
    if ("unreadable" in found && found.unfetched) {
      incomplete.push({ origin: found.origin, incomplete: found.unfetched });
    }
    if ("incomplete" in found || !isWanted(found, wantedBy(demand), () => {})) continue;
    count++;
    const fault = "unreadable" in found ? undefined : formFault(found, demand);
    if (fault !== undefined) wrongForm.push({ where: found.origin.where, reasons: [fault] });
    else for (const each of tries) await each.candidates.add(found);
  }
  const found: SignerOutcome[] = [];
  const principals = new Map<string, Principal[]>();
  const signatures = new Set<Signed>();
  for (const each of tries) {
    const gated = await gate(each, demand, context);
    principals.set(each.signer.name, gated.counted.map(principalOf));
    for (const signed of gated.counted) signatures.add(signed);
    found.push(outcomeOf(each, gated, wrongForm));
  }
  // The newest scan decides, and it may be where nobody could look.
  const mayBeOutvoted = demand.attestation?.vulnerabilities !== undefined && incomplete.length > 0;
  const ok = isMet(demand.signers, principals) && !mayBeOutvoted;
  const defect = tries.find(({ candidates: { defect } }) => defect !== undefined)?.candidates.defect;
  if (!ok && defect) throw defect.error;
  const name = demand.attestation?.predicateType ?? "signatures";
  return {
    outcome: { demand: name, ok, signers: describe(demand.signers), found, count },
    verified: ok ? onePerSignature([...signatures].map(({ verified }) => verified)) : [],
    evidence: ok ? [...new Set([...signatures].map(({ evidence }) => evidence))] : [],
    incomplete,
    logs: tries.flatMap(({ trusted }) => trusted.logs),
  };
}

/** One signer's verification of all candidates. */
interface Try {
  readonly signer: Signer;
  readonly trusted: TrustedMaterial;
  readonly candidates: CandidateVerifier;
  readonly evidence: ReadonlyMap<Verified, Evidence>;
}

async function openTry(signer: Signer | undefined, demand: Demand, context: JudgeContext): Promise<Try> {
  if (signer === undefined) throw new TsignError("internal", "a demand names a signer that the policy does not define");
  const { io, sources, now, verify } = context;
  const trusted = await sources.trustFor(signer, demand);
  const wanted = wantedBy(demand);
  const predicateTypes = wanted.kind === "attestations" ? [wanted.predicateType] : await signatureTypes();
  const policy: Policy = {
    ...(await sources.policyOf(signer, demand)),
    claims: { annotations: {}, predicateTypes, subject: "required" },
  };
  const trust = { ...trusted, now, budget: new PathBudget() }; // hostile chains of one image do not affect others
  const evidence = new Map<Verified, Evidence>();
  const candidates = new CandidateVerifier(io.signal, async (candidate) => {
    const verdict = await verify(candidate, trust, policy);
    if (isVerified(verdict)) evidence.set(verdict, candidate);
    return verdict;
  });
  return { signer, trusted, candidates, evidence };
}

/** The predicate type of signatures, which keeps attestations from counting as signatures. */
async function signatureTypes(): Promise<string[]> {
  return [(await import("../evidence/media-types.ts")).SIGN_PREDICATE_TYPE];
}

interface Gated {
  readonly counted: readonly Signed[];
  readonly notCounted: readonly NotCounted[];
}

async function gate(each: Try, demand: Demand, context: JudgeContext): Promise<Gated> {
  const { signer, trusted, candidates, evidence } = each;
  const counted: Signed[] = [];
  const notCounted: NotCounted[] = [];
  const signed = candidates.verified.flatMap((verified) => {
    const of = evidence.get(verified);
    return of ? [{ verified, evidence: of }] : [];
  });
  const outdated = demand.attestation?.vulnerabilities ? olderScans(signed) : new Set<Signed>();
  for (const one of signed) {
    const faults = outdated.has(one)
      ? ["signer has attested a newer scan"]
      : await gateFaults(one, { ...context, demand, signer, logs: trusted.logs });
    if (faults.length === 0) counted.push(one);
    else notCounted.push({ where: one.verified.origin.where, reasons: faults });
  }
  return { counted, notCounted };
}

/** The scans of which the same principal has attested a newer one: a new finding is not outvoted by an older scan. */
function olderScans(signed: readonly Signed[]): Set<Signed> {
  const scans = signed.map((one) => ({ one, by: principalOf(one), time: timeOfScan(one) }));
  const older = scans.filter(({ by, time }) =>
    scans.some((other) => other.time > time && other.by.some((part) => by.includes(part))),
  );
  return new Set(older.map(({ one }) => one));
}

function timeOfScan({ verified: { content } }: Signed): number {
  if (content.kind !== "statement") return Number.NEGATIVE_INFINITY;
  try {
    return scanTime(parseJson(content.payload, "statement"))?.getTime() ?? Number.NEGATIVE_INFINITY;
  } catch (error) {
    if (error instanceof TsignError) return Number.NEGATIVE_INFINITY; // the gate refuses it
    throw error;
  }
}

function outcomeOf(
  { signer, candidates }: Try,
  { counted, notCounted }: Gated,
  wrongForm: readonly NotCounted[],
): SignerOutcome {
  const { nearest } = candidates;
  return {
    signer: signer.name,
    counted: counted.map(countedOf),
    notCounted: [...notCounted, ...wrongForm],
    ...(nearest && counted.length === 0 && notCounted.length === 0
      ? { nearest: { where: nearest.origin.where, reasons: [`${nearest.check}: ${nearest.reason}`] } }
      : {}),
  };
}

function countedOf({ verified }: Signed): Counted {
  const { signer, origin } = verified;
  const time = earliestTime(verified)?.toISOString();
  const by = signer.kind === "key" ? `key sha256:${fingerprint(signer.key)}` : signer.name;
  return { where: origin.where, by, ...(time === undefined ? {} : { time }) };
}

/** A signature that counts for several signers was verified for each of them. */
function onePerSignature(verified: Iterable<Verified>): Verified[] {
  return [...new Map([...verified].map((each) => [each.origin, each])).values()];
}
