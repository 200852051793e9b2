import { TsignError } from "../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { defaultHashes } from "../keys/index.ts";
import type { ClaimsPolicy, IdentityPolicy, NamePattern, Policy } from "../verify/model.ts";
import { exactly, matching } from "../verify/patterns.ts";
import { publicHalf } from "./handles.ts";
import type { Identity, NameRule, Requirements } from "./types.ts";

/**
 * The policy that options ask for.
 *
 * @throws TsignError "usage"
 */
export async function signingPolicy(wanted: Requirements): Promise<Policy & { readonly claims: ClaimsPolicy }> {
  const { insecureIgnoreTransparencyLog: unlogged = false, transparencyLogs = 1, timestamps = 0 } = wanted;
  requireCount(transparencyLogs, { name: "transparencyLogs", least: 1 });
  requireCount(timestamps, { name: "timestamps", least: 0 });
  if (unlogged && wanted.transparencyLogs !== undefined) {
    throw new TsignError("usage", "transparencyLogs and insecureIgnoreTransparencyLog cannot be used together");
  }
  const annotations = Object.entries(wanted.annotations ?? {}).map(([name, value]) => [name, [value]] as const);
  return {
    signer: await signerPolicy(wanted),
    log: unlogged ? "insecureSkip" : "required",
    ...(unlogged ? {} : { transparencyLogs }),
    timestamp: timestamps > 0 ? "required" : "optional",
    timestamps,
    sct: wanted.insecureIgnoreSct === true ? "insecureSkip" : { detached: undefined },
    claims: {
      annotations: Object.fromEntries(annotations),
      predicateTypes: [wanted.predicateType ?? SIGN_PREDICATE_TYPE],
      subject: "required",
    },
  };
}

/** @throws TsignError "usage" for what is not a whole number, or less than may be asked for */
function requireCount(value: number, { name, least }: { name: string; least: number }): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new TsignError("usage", `${name} is ${value}, expected a whole number from ${least} upwards`);
}

/**
 * Whoever asks for an attestation has no use for a signature, which states no predicate.
 *
 * @throws TsignError "bad-signature"
 */
export function requirePredicate({ content, origin }: Evidence, { predicateType }: Requirements): void {
  if (predicateType === undefined || content.kind === "dsse") return;
  const message = `${origin.where} is a signature, and not an attestation of type ${predicateType}`;
  throw new TsignError("bad-signature", message, { check: "claims" });
}

async function signerPolicy({ key, identity }: Requirements): Promise<Policy["signer"]> {
  if ((key === undefined) === (identity === undefined)) {
    throw new TsignError("usage", "exactly one of key and identity is required");
  }
  if (identity !== undefined) return { kind: "identity", identity: await identityPolicy(identity) };
  const publicKey = publicHalf(key ?? "");
  return { kind: "key", key: publicKey, hashes: defaultHashes(publicKey) };
}

async function identityPolicy({ subject, issuer, extensions = {} }: Identity): Promise<IdentityPolicy> {
  return {
    subject: [await nameRule(subject, "subject")],
    issuer: [await nameRule(issuer, "issuer")],
    extensions: new Map(Object.entries(extensions)),
  };
}

async function nameRule(rule: NameRule, part: string): Promise<NamePattern> {
  if (typeof rule === "string" && rule !== "") return exactly(rule);
  if (typeof rule === "object" && typeof rule?.matching === "string" && rule.matching !== "") {
    return matching(rule.matching);
  }
  throw new TsignError("usage", `identity.${part} is neither a name nor { matching: pattern }`);
}
