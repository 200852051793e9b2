import type { Demand } from "../model.ts";
import type { RuleText, SignerText } from "../schema.ts";
import { type ExportContext, imagesOf } from "./context.ts";
import { NoEqual, partsOf, trustOf } from "./demands.ts";

const REJECT = { type: "reject" };
const ACCEPT = { type: "insecureAcceptAnything" };
/** tsign and cosign sign a repository without a tag. */
const IDENTITY = { type: "matchRepository" };

type Requirement = Record<string, unknown>;

/** Writes containers' policy.json: a scope for each pattern of a rule. The longest scope decides there, the first rule here. */
export async function writePolicyJson(context: ExportContext): Promise<unknown[]> {
  const { policy, note } = context;
  const scopes = new Map<string, { readonly requirements: Requirement[]; readonly rule: number }>();
  for (const [index, rule] of policy.rules.entries()) {
    const images = imagesOf(rule);
    if (images.length === 0) note("refused", index, "a rule for files is not exported");
    const requirements = images.length === 0 ? [] : await requirementsOf(rule, index, context);
    for (const image of images) {
      const scope = scopeOf(image, images);
      if (scope === undefined) {
        note("refused", index, `pattern "${image}" has no equal: its images are refused`);
        refuseBelow(image, scopes, index);
      } else if (!scopes.has(scope)) scopes.set(scope, { requirements, rule: index });
    }
  }
  refuseShadowed(scopes, context);
  const docker = Object.fromEntries(
    [...scopes].filter(([scope]) => scope !== "").map(([scope, { requirements }]) => [scope, requirements]),
  );
  const byDefault = scopes.get("")?.requirements;
  const transports = { docker: { ...docker, ...(byDefault ? { "": byDefault } : {}) } };
  if ([...scopes.values()].some(({ requirements }) => requirements.some(({ type }) => type === "sigstoreSigned"))) {
    note("stricter", undefined, "containers reads the legacy form only, and compares the signed repository");
  }
  return [{ default: [REJECT], transports }];
}

/**
 * The scope for a pattern. A scope is a repository or namespace with all that is below it, so that `registry.example/team` and
 * `registry.example/team/**` need each other.
 */
function scopeOf(image: string, all: readonly string[]): string | undefined {
  if (image === "**") return "";
  const name = image
    .replace(/^(?:index\.|registry-1\.)docker\.io\//, "docker.io/")
    .replace(/^docker\.io\/([^/*]+)$/, "docker.io/library/$1");
  const below = name.replace(/\/\*\*$/, "");
  if (/\*/.test(below.replace(/^\*\./, ""))) return undefined;
  const isHost = !below.includes("/");
  if (below !== name) return isHost || all.includes(image.slice(0, -3)) ? below : undefined;
  if (name.startsWith("*.")) return undefined;
  if (name.lastIndexOf(":") > name.lastIndexOf("/")) return name;
  return all.includes(`${image}/**`) ? name : undefined;
}

/** Refuses the longest scope without `*` around a pattern that has no equal, so that no later rule accepts its images. */
function refuseBelow(
  image: string,
  scopes: Map<string, { requirements: Requirement[]; rule: number }>,
  rule: number,
): void {
  const literal = image.replace(/^index\.docker\.io\//, "docker.io/").replace(/\*.*$/s, "*");
  const scope = literal.endsWith("*") ? literal.slice(0, Math.max(literal.lastIndexOf("/"), 0)) : literal;
  if (!scopes.has(scope)) scopes.set(scope, { requirements: [REJECT], rule });
}

/** A longer scope of a later rule would decide where an earlier, shorter one does here. */
function refuseShadowed(
  scopes: Map<string, { requirements: Requirement[]; rule: number }>,
  { note }: ExportContext,
): void {
  for (const [scope, { rule, requirements }] of scopes) {
    const shadowing = [...scopes].find(([other, { rule: earlier }]) => earlier < rule && isWithin(scope, other));
    if (!shadowing || requirements[0] === REJECT) continue;
    note("refused", rule, `an earlier rule decides on "${scope}": it is refused there`);
    scopes.set(scope, { rule, requirements: [REJECT] });
  }
}

function isWithin(scope: string, other: string): boolean {
  if (other === "") return true;
  if (other.startsWith("*.")) return (scope.split("/")[0] ?? "").replace(/:\d+$/, "").endsWith(other.slice(1));
  return scope.startsWith(`${other}/`) || scope.startsWith(`${other}:`);
}

async function requirementsOf(rule: RuleText, index: number, context: ExportContext): Promise<Requirement[]> {
  if (rule.insecureAcceptAnything) return [ACCEPT];
  if (rule.refuse !== undefined) return [REJECT];
  try {
    if (rule.effect === "warn" || rule.effect === "audit")
      context.note("stricter", index, `effect: ${rule.effect} has no equal: it is enforced`);
    if (rule.digest !== undefined) throw new NoEqual("digest: required");
    if (rule.attestations !== undefined) throw new NoEqual("attestations");
    return rule.signatures ? await signedBy(rule.signatures, context) : [REJECT];
  } catch (error) {
    if (!(error instanceof NoEqual)) throw error;
    context.note("refused", index, `policy.json cannot demand it: ${error.message}; its images are rejected`);
    return [REJECT];
  }
}

async function signedBy(demand: NonNullable<RuleText["signatures"]>, context: ExportContext): Promise<Requirement[]> {
  const { policy, pem } = context;
  if (demand.maxAge !== undefined) throw new NoEqual("maxAge");
  if (demand.timestamp === "required") throw new NoEqual("a timestamp");
  if (demand.form === "bundle") throw new NoEqual("form: bundle");
  if (demand.logs !== undefined) throw new NoEqual("logs");
  const requirements: Requirement[] = [];
  for (const part of partsOf(demand.signers, policy)) {
    if (part.count > 1) throw new NoEqual(`at least ${part.count} of ${part.signers.length} signers`);
    const named = part.signers.map((name) => policy.signers?.[name] ?? {});
    const [first = {}, ...more] = named;
    if (named.some(({ until }) => until !== undefined)) throw new NoEqual("until");
    if (named.every(({ key }) => key !== undefined)) {
      const logKeys =
        demand.log === "insecure-skip" ? {} : { rekorPublicKeyDatas: await logKeysOf(named, demand, context) };
      const keys = await Promise.all(named.map(({ key = "" }) => pem(key)));
      requirements.push({ type: "sigstoreSigned", keyDatas: keys.map(base64), ...logKeys, signedIdentity: IDENTITY });
    } else if (more.length > 0) throw new NoEqual("alternatives of which one is an identity");
    else requirements.push({ type: "sigstoreSigned", pki: pkiOf(first, demand, context), signedIdentity: IDENTITY });
  }
  return requirements;
}

const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");

/** The keys of the trusted logs; containers reads ECDSA keys. */
async function logKeysOf(
  signers: readonly SignerText[],
  demand: NonNullable<RuleText["signatures"]>,
  { policy, sources }: ExportContext,
): Promise<string[]> {
  const names = new Set(signers.map((signer) => trustOf(signer, demand, policy)?.name));
  if (names.size > 1) throw new NoEqual("signers with different trusted roots");
  const [name] = names;
  const signer = { kind: "key", name: "", reference: "", trust: name, until: undefined } as const;
  const wanted: Demand = {
    ...{ signers: { kind: "any", members: [] }, log: "required", logs: undefined, timestamp: "optional", form: "any" },
    ...{ maxAge: undefined, trust: undefined, attestation: undefined },
  };
  const { logs } = await sources.trustFor(signer, wanted);
  const keys = logs
    .filter(({ key }) => key.asymmetricKeyType === "ec")
    .map(({ key }) => base64(String(key.export({ type: "spki", format: "pem" }))));
  if (keys.length === 0) throw new NoEqual("a log whose key is not for ECDSA");
  return keys;
}

/** Certificates of an own authority, which have no issuer in them. */
function pkiOf(
  signer: SignerText,
  demand: NonNullable<RuleText["signatures"]>,
  { policy }: ExportContext,
): Requirement {
  const { authorities, intermediates, insecureIgnoreSct, ...others } = trustOf(signer, demand, policy)?.material ?? {};
  const isOwn = typeof signer.issuer === "object" && "none" in signer.issuer && authorities !== undefined;
  if (!isOwn || Object.keys(others).length > 0) throw new NoEqual("identities with an OIDC issuer");
  if (demand.log !== "insecure-skip" || !insecureIgnoreSct)
    throw new NoEqual("a log entry for a certificate of an own authority");
  if (typeof signer.identity !== "string" || signer.extensions !== undefined)
    throw new NoEqual("patterns for identities");
  const field = signer.identity.includes("@") ? "subjectEmail" : "subjectHostname";
  if (/[:/]/.test(signer.identity)) throw new NoEqual("an identity that is a URI");
  return {
    caRootsPath: authorities,
    ...(intermediates === undefined ? {} : { caIntermediatesPath: intermediates }),
    [field]: signer.identity,
  };
}
