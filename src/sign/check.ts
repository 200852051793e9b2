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
 * Verifies a new signature before anybody sees it, with all that its verifiers will ask for.
 *
 * @param options.certified whether the key has a certificate that Fulcio issued. One of the user's own is theirs to vouch
 * for: the key is what signed.
 * @param options.witnesses that recorded and dated it
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
  // Pure Ed25519 over a file needs the file again, which is gone.
  const isPure = evidence.content.kind === "blob" && evidence.content.stated?.algorithm !== key.hash;
  if (key.kind.type === "ed25519" && isPure) return;
  const anyone = [{ text: "anyone", matches: () => true, matchesNone: true }];
  const has = (role: Witness["role"]) => witnesses.some((each) => each.role === role);
  const policy: Policy = {
    signer: certified
      ? { kind: "identity", identity: { subject: anyone, issuer: anyone, extensions: new Map() } }
      : { kind: "key", key, hashes: defaultHashes(key) },
    log: has("log") ? "required" : "insecureSkip",
    timestamp: has("timestamp-authority") ? "required" : "optional",
    sct: certified ? { detached: undefined } : "insecureSkip",
    claims: "insecureSkip",
  };
  const judged: Evidence =
    certified || evidence.key.kind !== "certificate"
      ? evidence
      : { ...evidence, key: { ...evidence.key, binding: false } };
  // What is signed is what it says: only a file's signature is over something else, known by the digest it states.
  const message = evidence.content.kind === "blob" ? statedMessage(evidence) : messageOf(new Uint8Array());
  const verdict = await verify(judged, { kind: "blob", message }, { ...trust, now }, policy);
  if (verdict.ok) return;
  const { name, detail } = verdict.failed;
  throw new TsignError("untrusted", `the new signature does not verify and was not stored: ${name}: ${detail}`, {
    hint: "is the trusted root the one of the services signed with?",
  });
}
