import { TsignError } from "../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { defaultHashes } from "../keys/index.ts";
import type { ClaimsPolicy, IdentityPolicy, NamePattern, Policy } from "../verify/model.ts";
import { exactly, matching } from "../verify/patterns.ts";
import { publicHalf } from "./handles.ts";
import type { Identity, NameRule, Requirements } from "./types.ts";

/**
 * Returns the verification policy for the requirements.
 *
 * @throws TsignError "usage" for invalid or contradictory requirements
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

/** Checks a threshold. @throws TsignError "usage" for a value that is not an integer or too small */
function requireCount(value: number, { name, least }: { name: string; least: number }): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new TsignError("usage", `invalid ${name}: got ${value}, want an integer of at least ${least}`);
}

/**
 * Checks that the evidence is an attestation if one is required: signatures without a statement have no predicate type.
 *
 * @throws TsignError "bad-signature"
 */
export function requirePredicate({ content, origin }: Evidence, { predicateType }: Requirements): void {
  if (predicateType === undefined || content.kind === "dsse") return;
  const message = `${origin.where} is a signature, not an attestation of type ${predicateType}`;
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
  throw new TsignError("usage", `invalid identity.${part}: expected a name or { matching: pattern }`);
}
