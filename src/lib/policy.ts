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
  const annotations = Object.entries(wanted.annotations ?? {}).map(([name, value]) => [name, [value]] as const);
  return {
    signer: await signerPolicy(wanted),
    log: wanted.insecureIgnoreTransparencyLog === true ? "insecureSkip" : "required",
    timestamp: wanted.requireTimestamp === true ? "required" : "optional",
    sct: wanted.insecureIgnoreSct === true ? "insecureSkip" : { detached: undefined },
    claims: {
      annotations: Object.fromEntries(annotations),
      predicateTypes: [wanted.predicateType ?? SIGN_PREDICATE_TYPE],
      subject: "required",
    },
  };
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
