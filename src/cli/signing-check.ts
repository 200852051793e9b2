import type { X509Certificate } from "node:crypto";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { certificateNames } from "../format/certificate-names.ts";
import type { Io } from "../io/io.ts";
import { defaultHashes } from "../keys/index.ts";
import type { Signer } from "../keys/types.ts";
import { AUDIENCE } from "../services/oidc/audience.ts";
import type { IdentityToken } from "../services/oidc/token.ts";
import type { Witnesses } from "../sign/record.ts";
import type { SigningCertificate } from "../sign/sign.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import { CheckFailed, type Policy, type Subject } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";

/** Seconds by which a clock may be wrong without a word. */
const CLOCK_TOLERANCE = 5;
/** Fulcios whose audience is known: another token is not for them to see. */
const PUBLIC_AUTHORITIES = ["fulcio.sigstore.dev", "fulcio.sigstage.dev"];

/**
 * Says of a token for another audience, before it is sent anywhere, that Fulcio will hardly take it. A private Fulcio may
 * have an audience of its own, so that this is a warning there.
 *
 * @param options.clientId --oidc-client-id, which is the audience of the tokens that a login gives
 * @throws TsignError "auth" for a public authority, which is no place to send such a token to
 */
export function checkAudience(
  io: Pick<Io, "stderr">,
  { audiences, source }: Pick<IdentityToken, "audiences" | "source">,
  options: { clientId: string; authority: URL },
): void {
  const { clientId, authority } = options;
  if (audiences.includes(clientId) || audiences.includes(AUDIENCE)) return;
  const stated =
    audiences.length === 0 ? "no audience" : `the audience ${audiences.map((each) => `"${each}"`).join(", ")}`;
  const message = `the identity token of ${source} is for ${stated}, Fulcio at ${authority.host} expects "${clientId}"`;
  const hint = `ask for a token with the audience "${clientId}", or name another with --oidc-client-id`;
  if (PUBLIC_AUTHORITIES.includes(authority.hostname)) throw new TsignError("auth", message, { hint });
  io.stderr.write(`WARNING: ${message}: ${hint}\n`);
}

/**
 * Checks a certificate just issued before anything is signed with it: for the identity that was proven, by a trusted
 * authority, made public.
 *
 * @param options.email the token's e-mail address; undefined for other identities, which Fulcio puts into the certificate in
 * a form of its own: a workflow's URL for a CI job's subject
 * @throws TsignError "untrusted"
 */
export async function checkCertificate(
  io: Pick<Io, "stderr" | "now">,
  options: { issued: SigningCertificate; email: string | undefined; trust: TrustedMaterial | undefined },
): Promise<void> {
  const { issued, email, trust } = options;
  const { parseCertificate } = await import("../trust/certificate.ts");
  const leaf = parseCertificate(issued.leaf);
  const names = certificateNames(leaf.asn1);
  // An issuer of machines may state an e-mail address too, for which Fulcio then does not issue.
  const isForEmail = names.some((name) => /^[^\s/:@]+@[^\s/:@]+$/.test(name));
  if (names.length === 0 || (email !== undefined && isForEmail && !names.includes(email))) {
    throw new TsignError(
      "untrusted",
      `the certificate was issued for ${names.join(", ") || "nobody"}, not ${email ?? "the signer"}`,
    );
  }
  if (!trust) return;
  const { verifyCertificate } = await import("../verify/certificate.ts");
  const { verifyScts } = await import("../verify/sct.ts");
  const now = io.now();
  const at = withinValidity(leaf.native, now);
  if (at.getTime() !== now.getTime()) warnOfClock(io, now, leaf.native);
  try {
    const key = { kind: "certificate", ...issued, binding: true } as const;
    const path = verifyCertificate(key, { ...trust, now }, [at]);
    verifyScts(path, { logs: trust.ctLogs, detached: undefined });
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    throw new TsignError("untrusted", `the certificate just issued does not hold: ${error.check}: ${error.message}`, {
      hint: "is the trusted root the one of the services signed with?",
    });
  }
}

/**
 * The moment of a certificate's validity that is nearest to now. A certificate just issued is valid by its authority's clock, which
 * may differ from this machine's; who verifies it goes by the times of logs and authorities.
 */
function withinValidity({ validFromDate: from, validToDate: to }: X509Certificate, now: Date): Date {
  return now < from ? from : now > to ? to : now;
}

/** A certificate just issued begins when its authority's clock says that it is now. */
function warnOfClock(io: Pick<Io, "stderr">, now: Date, { validFromDate: from }: X509Certificate): void {
  const seconds = Math.round(Math.abs(now.getTime() - from.getTime()) / 1000);
  if (seconds < CLOCK_TOLERANCE) return;
  const span = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  const side = now > from ? "ahead of" : "behind";
  io.stderr.write(`WARNING: this machine's clock is about ${span} ${side} the certificate authority's: set it\n`);
}

/**
 * Verifies a signature before it is stored, with all that its verifiers will ask for.
 *
 * @throws TsignError "untrusted"
 */
export async function checkSignature(options: {
  evidence: Evidence;
  subject: Subject;
  signer: Signer;
  certified: boolean;
  witnesses: Witnesses;
  trust: TrustedMaterial;
  now: Date;
}): Promise<void> {
  const { evidence, subject, signer, certified, witnesses, trust, now } = options;
  // Pure Ed25519 over a file needs the file again, which is gone.
  const isPure = evidence.content.kind === "blob" && evidence.content.stated?.algorithm !== signer.publicKey.hash;
  if (signer.publicKey.kind.type === "ed25519" && isPure) return;
  const anyone = [{ text: "anyone", matches: () => true, matchesNone: true }];
  const key = { kind: "key", key: signer.publicKey, hashes: defaultHashes(signer.publicKey) } as const;
  const policy: Policy = {
    signer: certified
      ? { kind: "identity", identity: { subject: anyone, issuer: anyone, extensions: new Map() } }
      : key,
    log: witnesses.logs.length > 0 ? "required" : "insecureSkip",
    timestamp: witnesses.timestampAuthorities.length > 0 ? "required" : "optional",
    sct: certified ? { detached: undefined } : "insecureSkip",
    claims: "insecureSkip",
  };
  // A certificate of the user's own is theirs to vouch for; the key is what signed.
  const judged: Evidence =
    certified || evidence.key.kind !== "certificate"
      ? evidence
      : { ...evidence, key: { ...evidence.key, binding: false } };
  const verdict = await verify(judged, subject, { ...trust, now }, policy);
  if (verdict.ok) return;
  const { name, detail } = verdict.failed;
  throw new TsignError("untrusted", `the new signature does not verify and was not stored: ${name}: ${detail}`, {
    hint: "is the trusted root the one of the services signed with?",
  });
}
