import type { X509Certificate } from "node:crypto";
import type { IdentityProvider } from "@sigstore/sign";
import { naming, TsignError } from "../errors.ts";
import { certificateNames } from "../format/certificate-names.ts";
import type { Io } from "../io/io.ts";
import type { Signer } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import { AUDIENCE } from "../services/oidc/audience.ts";
import { type IdentityToken, readIdentityToken } from "../services/oidc/token.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import { CheckFailed } from "../verify/model.ts";
import { readSigningCertificate } from "./certificate.ts";
import type { SigningCertificate } from "./sign.ts";

/** Seconds by which a clock may be wrong before it is worth a warning. */
const CLOCK_TOLERANCE = 5;
/** Fulcios whose audience is known: a token for another audience is not sent to them. */
const PUBLIC_AUTHORITIES = ["fulcio.sigstore.dev", "fulcio.sigstage.dev"];

/** Where the certificate of the key comes from. */
export type CertificateSource =
  /** Fulcio issues one for the identity that a token proves. */
  | { readonly kind: "issued"; readonly authority: URL; readonly identity: IdentitySource }
  /** The user has one. `certificate` is PEM or DER, `chain` PEM from the issuer to the root, empty for none. */
  | { readonly kind: "given"; readonly name: string; readonly certificate: Uint8Array; readonly chain: Uint8Array };

/** Who signs, by an OIDC identity token. */
export interface IdentitySource {
  /** The audience that Fulcio expects; "sigstore" by default. */
  readonly audience?: string;
  /** Called once, just before a certificate is asked for. */
  readonly token: () => Promise<IdentityToken>;
}

/** What is worth knowing of a signing and does not stop it; the message is one line. */
export interface SigningWarning {
  readonly kind: "audience" | "clock" | "undated";
  readonly message: string;
}

/**
 * The identity that a provider of @sigstore/sign's shape gives tokens for.
 *
 * @param provider or the token itself, a JWT
 * @param options.source how the token is called in errors
 */
export function identityOf(
  io: Pick<Io, "now">,
  provider: IdentityProvider | string,
  { source = "the identity provider", audience }: { source?: string; audience?: string } = {},
): IdentitySource {
  const token = async () => {
    const text = typeof provider === "string" ? provider : await provider.getToken();
    return readIdentityToken(text, { source, now: io.now() });
  };
  return { token, ...(audience === undefined ? {} : { audience }) };
}

/**
 * Gets the certificate of a key: reads the one the user has, or has Fulcio issue one and checks it before anything is
 * signed with it.
 *
 * @param options.trust checks an issued certificate; without it only its names are checked
 * @throws TsignError "input" or "untrusted" for a certificate that no verifier could use, "auth", "network", "service" or
 * "timeout" where none was issued, and whatever `onIssue` throws
 */
export async function certify(
  io: TransportIo,
  source: CertificateSource,
  options: {
    signer: Signer;
    trust: TrustedMaterial | undefined;
    onIssue: (token: IdentityToken) => void | Promise<void>;
    onWarning: (warning: SigningWarning) => void;
  },
): Promise<SigningCertificate> {
  const { signer, trust, onIssue, onWarning } = options;
  if (source.kind === "given") {
    const { name, certificate, chain } = source;
    return naming(name, () => readSigningCertificate({ certificate, chain, key: signer.publicKey }));
  }
  const { authority: url, identity } = source;
  const { requestCertificate } = await import("../services/fulcio.ts");
  const token = await identity.token();
  checkAudience(token, { expected: identity.audience ?? AUDIENCE, authority: url, onWarning });
  await onIssue(token);
  const { raw, subject, isEmail } = token;
  const issued = await requestCertificate(io, { url, token: raw, subject, signer });
  await checkCertificate(issued, { email: isEmail ? subject : undefined, trust, now: io.now(), onWarning });
  return issued;
}

/**
 * Warns of a token for another audience before it is sent anywhere: Fulcio will hardly take it. A private Fulcio may expect
 * an audience of its own.
 *
 * @throws TsignError "auth" for a public authority, to which such a token must not be sent
 */
function checkAudience(
  { audiences, source }: IdentityToken,
  options: { expected: string; authority: URL; onWarning: (warning: SigningWarning) => void },
): void {
  const { expected, authority, onWarning } = options;
  if (audiences.includes(expected) || audiences.includes(AUDIENCE)) return;
  const stated =
    audiences.length === 0 ? "no audience" : `the audience ${audiences.map((each) => `"${each}"`).join(", ")}`;
  const message = `the identity token of ${source} is for ${stated}, Fulcio at ${authority.host} expects "${expected}"`;
  const hint = `ask for a token with the audience "${expected}", or name another with --oidc-client-id`;
  if (PUBLIC_AUTHORITIES.includes(authority.hostname)) throw new TsignError("auth", message, { hint });
  onWarning({ kind: "audience", message: `${message}: ${hint}` });
}

/**
 * Checks a certificate just issued: for the identity that was proven, by a trusted authority, with its SCT.
 *
 * @param options.email the token's e-mail address; undefined for other identities, which Fulcio puts into the certificate in
 * a form of its own: a workflow's URL for a CI job's subject
 * @throws TsignError "untrusted"
 */
async function checkCertificate(
  issued: SigningCertificate,
  options: {
    email: string | undefined;
    trust: TrustedMaterial | undefined;
    now: Date;
    onWarning: (warning: SigningWarning) => void;
  },
): Promise<void> {
  const { email, trust, now, onWarning } = options;
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
  const at = withinValidity(leaf.native, now);
  if (at.getTime() !== now.getTime()) warnOfClock(now, leaf.native, onWarning);
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
function warnOfClock(
  now: Date,
  { validFromDate: from }: X509Certificate,
  onWarning: (warning: SigningWarning) => void,
): void {
  const seconds = Math.round(Math.abs(now.getTime() - from.getTime()) / 1000);
  if (seconds < CLOCK_TOLERANCE) return;
  const span = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  const side = now > from ? "ahead of" : "behind";
  onWarning({
    kind: "clock",
    message: `this machine's clock is about ${span} ${side} the certificate authority's: set it`,
  });
}
