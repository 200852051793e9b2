import type { X509Certificate } from "node:crypto";
import type { IdentityProvider } from "@sigstore/sign";
import { TsignError, withSubject } from "../errors.ts";
import { certificateNames } from "../format/certificate-names.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import type { Signer } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import { AUDIENCE } from "../services/oidc/audience.ts";
import { audienceHint } from "../services/oidc/ci-systems.ts";
import { type IdentityToken, readIdentityToken } from "../services/oidc/token.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import { CheckFailed } from "../verify/model.ts";
import { readSigningCertificate } from "./certificate.ts";
import type { SigningCertificate } from "./sign.ts";

/** Seconds by which this machine's clock may differ without a warning. */
const CLOCK_TOLERANCE = 5;
/** Hosts of the Fulcios that only accept the default audience. */
const PUBLIC_AUTHORITIES = ["fulcio.sigstore.dev", "fulcio.sigstage.dev"];

/** Where the certificate for the key comes from. */
export type CertificateSource =
  /** Fulcio issues one for the identity in a token. */
  | { readonly kind: "issued"; readonly authority: URL; readonly identity: IdentitySource }
  /** An existing one. `certificate` is PEM or DER; `chain` is PEM from the issuer to the root, empty for none. */
  | { readonly kind: "given"; readonly name: string; readonly certificate: Uint8Array; readonly chain: Uint8Array };

/** The signer's identity, from an OIDC identity token. */
export interface IdentitySource {
  /** The audience that Fulcio expects; "sigstore" by default. Tokens for another audience are not sent. */
  readonly audience?: string;
  /** Called once, before the certificate is requested. */
  readonly token: () => Promise<IdentityToken>;
}

/** A warning about signing, with a message of one line. */
export interface SigningWarning {
  readonly kind: "clock" | "undated";
  readonly message: string;
}

/**
 * Returns the identity source of an `IdentityProvider` as in @sigstore/sign.
 *
 * @param provider the provider, or a token (JWT)
 * @param options.source the name of the token's source, for errors
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
 * Returns the certificate for a key: reads an existing one, or requests one from Fulcio and verifies it before it is used.
 *
 * @param options.trust verifies an issued certificate; without it only the names in the certificate are checked
 * @param options.onIssue called before the request, with the token
 * @throws TsignError "input" or "untrusted" for an unusable certificate, "auth", "network", "service" or "timeout" if none was
 * issued, and what `onIssue` throws
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
    return withSubject(name, () => readSigningCertificate({ certificate, chain, key: signer.publicKey }));
  }
  const { authority: url, identity } = source;
  const { requestCertificate } = await import("../services/fulcio.ts");
  const token = await identity.token();
  requireAudience(io, token, { expected: identity.audience ?? AUDIENCE, authority: url });
  await onIssue(token);
  const { raw, subject, isEmail } = token;
  const issued = await requestCertificate(io, { url, token: raw, subject, signer });
  await checkCertificate(issued, { email: isEmail ? subject : undefined, trust, now: io.now(), onWarning });
  return issued;
}

/**
 * Refuses a token for another audience, which must not be sent to Fulcio.
 *
 * @throws TsignError "auth" with the audiences in `expected` and `actual`
 */
function requireAudience(
  io: Pick<Io, "env">,
  { audiences, issuer, source }: IdentityToken,
  { expected, authority }: { expected: string; authority: URL },
): void {
  if (audiences.includes(expected) || audiences.includes(AUDIENCE)) return;
  const got = audiences.length === 0 ? "none" : audiences.map((each) => `"${each}"`).join(", ");
  const message = `identity token from ${source}: audience mismatch: got ${got}, want "${expected}" for Fulcio (${authority.host})`;
  const another = PUBLIC_AUTHORITIES.includes(authority.hostname)
    ? ""
    : ", or use --oidc-client-id if this Fulcio expects another audience";
  throw new TsignError("auth", printable(message), {
    hint: `${audienceHint(io, { issuer, audience: expected })}${another}`,
    expected,
    actual: audiences.join(", "),
  });
}

/**
 * Verifies a new certificate: its identity, its path to a trusted authority, and its SCT.
 *
 * @param options.email the token's e-mail address; undefined for other identities, whose name in the certificate differs from
 * the token: a CI job's subject becomes the URL of its workflow
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
  // Tokens of machines may contain an e-mail address too, which Fulcio does not use for the certificate.
  const isForEmail = names.some((name) => /^[^\s/:@]+@[^\s/:@]+$/.test(name));
  if (names.length === 0 || (email !== undefined && isForEmail && !names.includes(email))) {
    throw new TsignError(
      "untrusted",
      `certificate identity mismatch: got ${names.join(", ") || "none"}, want ${email ?? "the identity in the token"}`,
    );
  }
  if (!trust) return;
  const { verifyCertificate } = await import("../verify/certificate.ts");
  const { verifyScts } = await import("../verify/sct.ts");
  const at = withinValidity(leaf.native, now);
  if (at.getTime() !== now.getTime()) warnAboutClock(now, leaf.native, onWarning);
  try {
    const key = { kind: "certificate", ...issued, binding: true } as const;
    const path = verifyCertificate(key, { ...trust, now }, [at]);
    verifyScts(path, { logs: trust.ctLogs, detached: undefined });
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
    throw new TsignError("untrusted", `the new certificate does not verify: ${error.check}: ${error.message}`, {
      hint: "check that the trusted root belongs to the services used for signing",
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

/** Warns if this machine's clock differs from the start of a new certificate, which is the authority's time. */
function warnAboutClock(
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
    message: `this machine's clock is about ${span} ${side} the clock of the certificate authority`,
  });
}
