import { claimedIdentity } from "../evidence/find/claimed-signer.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { readStatement } from "../evidence/statement.ts";
import { findStored } from "../images/candidates.ts";
import type { ImageTarget } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import type { Reference } from "../oci/ref.ts";
import { type DecideOptions, decideImage } from "./decide.ts";
import { readTrustPolicy } from "./read.ts";
import { SUMMARY_TYPE } from "./read-demands.ts";
import type { PolicyFile, Requirement, SignerText } from "./schema.ts";
import { PolicySources } from "./sources.ts";

/** An image that a policy is written for. */
export interface Sample {
  readonly ref: Reference;
  readonly target: ImageTarget;
}

/** What a new policy says besides what is found. */
export interface Given {
  /** Signers that the images cannot name themselves. */
  readonly signers: Readonly<Record<string, SignerText>>;
  readonly trustedRoot: string | undefined;
  readonly ignoreLog: boolean;
  readonly ignoreSct: boolean;
}

/** A policy for images, and what could not be put into it. */
export interface Born {
  readonly policy: PolicyFile;
  readonly notes: readonly string[];
}

/** Name of the policy while it is tried out: its files are relative to the current folder. */
const TRIAL = "tsign.policy.yaml";

interface Found {
  readonly sample: Sample;
  /** Names of the signers whose signatures verify. */
  readonly signers: readonly string[];
  /** The same for attestations, by predicate type. */
  readonly attesters: ReadonlyMap<string, readonly string[]>;
}

/**
 * Writes a policy for what is found: one rule for each repository, which demands all signers who have signed every image of it, or
 * any of them where no signer has signed all. Certificates name signers; only those whose signatures verify are written down.
 *
 * @throws TsignError of the registry, of a key or trusted root that cannot be read
 */
export async function policyFor(
  io: Io,
  samples: readonly Sample[],
  given: Given,
  options: DecideOptions & { readonly warn: (text: string) => void },
): Promise<Born> {
  const signers: Record<string, SignerText> = { ...given.signers };
  const types = new Set<string>();
  for (const { target } of samples) await collect(target, { signers, types, given, options });
  const notes: string[] = [];
  if (types.delete(SUMMARY_TYPE)) notes.push("verification summaries are left out: write vsa: {verifier: ID} for them");
  const found: Found[] = [];
  for (const sample of samples) found.push(await tryOut(io, sample, { signers, types, given, options }));
  const repositories = Map.groupBy(found, ({ sample }) => sample.ref.name);
  const rules = [...repositories].flatMap(([repository, images]) => {
    const rule = ruleFor(repository, images, given);
    if (rule === undefined) notes.push(`${repository}: no signature that verifies, so no rule: its images are refused`);
    return rule === undefined ? [] : [rule];
  });
  const used = new Set(found.flatMap(({ signers: names, attesters }) => [...names, ...[...attesters.values()].flat()]));
  const kept = Object.fromEntries(Object.entries(signers).filter(([name]) => used.has(name)));
  return { policy: { ...head(given), signers: kept, rules }, notes };
}

function head({ trustedRoot, ignoreSct }: Given): Pick<PolicyFile, "version" | "trust"> {
  const material = {
    ...(trustedRoot === undefined ? {} : { trustedRoot }),
    ...(ignoreSct ? { insecureIgnoreSct: true as const } : {}),
  };
  return { version: 1, ...(Object.keys(material).length === 0 ? {} : { trust: { default: material } }) };
}

interface Collecting {
  readonly signers: Record<string, SignerText>;
  readonly types: Set<string>;
  readonly given: Given;
  readonly options: DecideOptions & { readonly warn: (text: string) => void };
}

/** Adds the identities that certificates name, and the types of attestations. */
async function collect(target: ImageTarget, { signers, types, options }: Collecting): Promise<void> {
  for (const kind of ["signatures", "attestations"] as const) {
    const wanted = kind === "signatures" ? ({ kind } as const) : ({ kind, predicateType: "" } as const);
    for await (const found of findStored(target, { ...options, bundles: true, wanted })) {
      if ("unreadable" in found || "incomplete" in found) continue;
      const type = typeOf(found);
      if (type !== undefined && type !== SIGN_PREDICATE_TYPE) types.add(type);
      const claimed = claimedIdentity(found);
      const [identity] = claimed?.names ?? [];
      if (identity === undefined) continue;
      const issuer = claimed?.issuer ?? { none: true as const };
      const isKnown = Object.values(signers).some(
        (each) => each.identity === identity && JSON.stringify(each.issuer) === JSON.stringify(issuer),
      );
      if (!isKnown) signers[unusedName(nameOf(identity), signers)] = { identity, issuer };
    }
  }
}

function typeOf({ content }: Evidence): string | undefined {
  if (content.kind !== "dsse") return undefined;
  try {
    return readStatement(content).predicateType;
  } catch {
    return undefined; // it will not verify
  }
}

/** Verifies everything that is stored with an image, for every signer. */
async function tryOut(io: Io, { ref, target }: Sample, { signers, types, given, options }: Collecting): Promise<Found> {
  const names = Object.keys(signers);
  const sample = { ref, target };
  if (names.length === 0) return { sample, signers: [], attesters: new Map() };
  const demand = { signers: { any: names }, ...logOf(given) };
  const attestations = [...types].map((type) => ({ type, ...demand }));
  const trial = {
    ...head(given),
    signers,
    rules: [{ images: "**", signatures: demand, ...(attestations.length === 0 ? {} : { attestations }) }],
  };
  const policy = await readTrustPolicy(JSON.stringify(trial), TRIAL);
  const sources = new PolicySources(io, policy, options.warn);
  const { decision } = await decideImage(io, sources, { policy, ref, target }, options);
  const counted = ({ found }: (typeof decision.demands)[number]) =>
    found.flatMap((each) => (each.counted.length > 0 ? [each.signer] : []));
  const [first, ...others] = decision.demands;
  return {
    sample,
    signers: first ? counted(first) : [],
    attesters: new Map(others.map((each) => [each.demand, counted(each)])),
  };
}

function logOf({ ignoreLog }: Given): { log?: "insecure-skip" } {
  return ignoreLog ? { log: "insecure-skip" } : {};
}

function ruleFor(repository: string, images: readonly Found[], given: Given): PolicyFile["rules"][number] | undefined {
  const signers = requirementOf(images.map((each) => each.signers));
  const types = new Set(images.flatMap(({ attesters }) => [...attesters.keys()]));
  const attestations = [...types].flatMap((type) => {
    const by = images.map(({ attesters }) => attesters.get(type) ?? []);
    // Demanded only where every image has one.
    const who = by.every((names) => names.length > 0) ? requirementOf(by) : undefined;
    return who === undefined ? [] : [{ type, signers: who, ...logOf(given) }];
  });
  if (signers === undefined && attestations.length === 0) return undefined;
  return {
    name: repository,
    images: repository,
    ...(signers === undefined ? {} : { signatures: { signers, ...logOf(given) } }),
    ...(attestations.length === 0 ? {} : { attestations }),
  };
}

/** All signers that every image has; any of those found, where there is none that all have. */
function requirementOf(by: readonly (readonly string[])[]): Requirement | undefined {
  const union = [...new Set(by.flat())];
  const common = union.filter((name) => by.every((names) => names.includes(name)));
  const members = common.length > 0 ? common : union;
  const [only] = members;
  if (only === undefined) return undefined;
  if (members.length === 1) return only;
  return common.length > 0 ? { all: members } : { any: members };
}

/** A name for a signer: `alice` of alice@example.com, `acme-app-release` of a workflow. */
function nameOf(identity: string): string {
  const workflow = /^https:\/\/[^/]+\/(.+?)\/\.[a-z]+\/workflows\/([^@]+?)\.ya?ml@/.exec(identity);
  return workflow ? `${workflow[1]}-${workflow[2]}` : identity.replace(/^[a-z]+:\/\//, "").replace(/@.*$/s, "");
}

/** A text in the characters of a signer's name, with a number if a signer has that name already. */
export function unusedName(text: string, signers: Readonly<Record<string, unknown>>): string {
  const plain =
    text
      .replace(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 60) || "signer";
  for (let number = 1; ; number++) {
    const name = number === 1 ? plain : `${plain}-${number}`;
    if (!Object.hasOwn(signers, name)) return name;
  }
}
