import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { messageOf } from "../format/digest.ts";
import { defaultHashes } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import type { Policy } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";
import { statedMessage } from "./sign.ts";
import type { Witness } from "./witness.ts";

/**
 * What a new signature must satisfy besides its signer: an entry or a timestamp where there is a log or an authority, and an SCT for
 * an issued certificate.
 */
export function signingDemands({
  certified,
  witnesses,
}: {
  certified: boolean;
  witnesses: readonly Pick<Witness, "role">[];
}): Pick<Policy, "log" | "timestamp" | "sct"> {
  const has = (role: Witness["role"]) => witnesses.some((each) => each.role === role);
  return {
    log: has("log") ? "required" : "insecureSkip",
    timestamp: has("timestamp-authority") ? "required" : "optional",
    sct: certified ? { detached: undefined } : "insecureSkip",
  };
}

/**
 * Verifies a new signature before it is stored, as its verifiers will.
 *
 * @param options.certified whether Fulcio issued a certificate for the key. A certificate of the user is not verified here; the
 * signature is then verified with the key.
 * @param options.witnesses the logs and timestamp authorities that were used
 * @throws TsignError "untrusted"
 */
export async function checkSignature(
  evidence: Evidence,
  options: {
    key: PublicKey;
    certified: boolean;
    witnesses: readonly Witness[];
    trust: TrustedMaterial;
    now: Date;
  },
): Promise<void> {
  const { key, certified, witnesses, trust, now } = options;
  // Pure Ed25519 can only be verified with the whole file, which was read already.
  const isPure = evidence.content.kind === "blob" && evidence.content.stated?.algorithm !== key.hash;
  if (key.kind.type === "ed25519" && isPure) return;
  const anyone = [{ text: "anyone", matches: () => true, matchesNone: true }];
  const policy: Policy = {
    signer: certified
      ? { kind: "identity", identity: { subject: anyone, issuer: anyone, extensions: new Map() } }
      : { kind: "key", key, hashes: defaultHashes(key) },
    ...signingDemands({ certified, witnesses }),
    claims: "insecureSkip",
  };
  const verifiable: Evidence =
    certified || evidence.key.kind !== "certificate"
      ? evidence
      : { ...evidence, key: { ...evidence.key, binding: false } };
  // Envelopes and payloads contain what was signed. For a file, its digest in the signature is used.
  const message = evidence.content.kind === "blob" ? statedMessage(evidence) : messageOf(new Uint8Array());
  const verdict = await verify(verifiable, { kind: "blob", message }, { ...trust, now }, policy);
  if (verdict.ok) return;
  const { name, detail } = verdict.failed;
  throw new TsignError("untrusted", `the new signature does not verify and was not stored: ${name}: ${detail}`, {
    hint: "check that the trusted root belongs to the services used for signing",
  });
}
