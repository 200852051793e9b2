import { naming, TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import { confirm, readPassword } from "../io/prompt.ts";
import { DEFAULT_SIGNING_ALGORITHM, ephemeralSigner } from "../keys/ephemeral.ts";
import { loadSigner } from "../keys/index.ts";
import type { Signer } from "../keys/types.ts";
import { readBlob } from "../net/input.ts";
import { loadTrust } from "../services/trust/sources.ts";
import { readSigningCertificate } from "../sign/certificate.ts";
import { type Content, loggable, requireLoggable } from "../sign/loggable.ts";
import { recordEvidence, type Witnesses } from "../sign/record.ts";
import { asLegacy, type SigningCertificate, type SigningIdentity } from "../sign/sign.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import type { Subject } from "../verify/model.ts";
import { type keyFlags, keyReference } from "./flags/key.ts";
import type { signingFlags } from "./flags/signing.ts";
import { requireFiles, warnAboutIdleFlags, warnAboutLegacyHash } from "./options/signing.ts";
import type { FlagValues } from "./parser/define.ts";
import { checkAudience, checkCertificate, checkSignature } from "./signing-check.ts";
import { noAuthority, readSigningServices, type SigningServices } from "./signing-services.ts";

type Flags = Omit<FlagValues<typeof signingFlags & typeof keyFlags>, "outputCertificate" | "outputSignature">;

/** Everything decided before anything is signed: who signs, and who makes it public and dates it. */
export interface Signing {
  readonly by: SigningIdentity;
  /** The same, for envelopes where something else is signed too: a log may check them in another way. Throws "unsupported". */
  readonly envelopesBy: SigningIdentity;
  readonly services: SigningServices;
  /**
   * Has a new signature recorded and dated, and makes sure that it verifies, before it is stored anywhere.
   *
   * @throws TsignError
   */
  complete(evidence: Evidence, subject: Subject): Promise<Evidence>;
  /**
   * The same signature of an attestation, complete already, as the legacy form stores it: the certificate beside it, the log
   * entries it has, and dated over its whole envelope.
   *
   * @throws TsignError
   */
  completeLegacy(evidence: Evidence, envelope: Uint8Array, subject: Subject): Promise<Evidence>;
}

/**
 * Opens the key, or makes one and gets it a certificate for the identity the signer proves. What will be public for ever
 * is said before.
 *
 * @param options.content what will be signed: logs check some of it by its digest alone
 * @param options.envelopeSize bytes of the largest envelope that will be signed
 * @param options.files that were asked for, "" for none: what would not be there to be written is refused
 * @param options.askAboutHash asks before it makes a legacy signature public that only tsign verifies
 * @param options.signingAlgorithm of the key that is made
 * @throws TsignError
 */
export async function openSigning(
  io: Io,
  flags: Flags,
  options: {
    bundlePathCounts: boolean;
    content: Content;
    envelopeSize?: number;
    signingAlgorithm?: string;
    files?: { certificate: string; timestamp: string };
    askAboutHash?: boolean;
  },
): Promise<Signing> {
  const reference = keyReference(flags);
  const keyless = reference === "";
  const certified = keyless || flags.issueCertificate;
  if (flags.oidcClientSecretFile !== "") await readBlob(io, flags.oidcClientSecretFile); // in time for its mistake
  const services = await readSigningServices(io, flags, options);
  const { logs } = services.witnesses;
  requireLoggable(logs, options.envelopeSize ?? 0);
  warnAboutIdleFlags(io, flags, { certified, services });
  requireFiles(flags, { files: options.files, certified, services });
  requireDatedCertificate(io, services, certified);
  const trust = await trustForSigning(io, flags, { services, certified });
  const opened = keyless
    ? ephemeralSigner(options.signingAlgorithm ?? DEFAULT_SIGNING_ALGORITHM)
    : await loadSigner(io, reference, () => readPassword(io, { confirm: false }));
  const signer = loggable(opened, logs, options.content);
  const unusual = options.content === "message" && warnAboutLegacyHash(io, flags, { signer, services, certified });
  const ask = unusual && options.askAboutHash === true;
  if (!certified) await announce(io, flags, { services, who: "your key", ask });
  const given = keyless ? undefined : await readGivenCertificate(io, flags, signer);
  const certificate = certified ? await issueCertificate(io, flags, { services, signer, trust, ask }) : given;
  const identity = (signer: Signer) => ({ signer, ...(certificate ? { certificate } : {}) });
  const { witnesses } = services;
  const record = async (evidence: Evidence, subject: Subject, by: Witnesses) => {
    const recorded = await recordEvidence(io, evidence, { key: signer.publicKey, witnesses: by });
    if (trust)
      await checkSignature({ evidence: recorded, subject, signer, certified, witnesses, trust, now: io.now() });
    return recorded;
  };
  return {
    by: identity(signer),
    get envelopesBy() {
      return identity(loggable(opened, logs, "envelope"));
    },
    services,
    complete: (evidence, subject) => record(evidence, subject, witnesses),
    completeLegacy: (evidence, envelope, subject) =>
      record(asLegacy(evidence, envelope), subject, { ...witnesses, logs: [] }),
  };
}

/** A certificate of minutes is worth little without something that says when it was used, and a place in a log nothing. */
function requireDatedCertificate(io: Io, { witnesses }: SigningServices, certified: boolean): void {
  const dated = witnesses.timestampAuthorities.length > 0 || witnesses.logs.some(({ version }) => version === 1);
  if (!certified || dated) return;
  if (witnesses.logs.length === 0) {
    io.stderr.write(
      "WARNING: nothing will say when this was signed, so that it verifies only while its certificate is valid: some minutes\n",
    );
    return;
  }
  throw new TsignError("usage", "a short-lived certificate needs a timestamp authority, and none is configured", {
    hint: "name one in the signing config (tsaUrls), or by --timestamp-server-url with --use-signing-config=false",
  });
}

/** What new signatures are checked with. Without it one can still sign, as with cosign, but is told so. */
async function trustForSigning(
  io: Io,
  flags: Flags,
  { services, certified }: { services: SigningServices; certified: boolean },
): Promise<TrustedMaterial | undefined> {
  const { logs, timestampAuthorities } = services.witnesses;
  const needs = new Set<keyof TrustedMaterial>();
  if (certified) needs.add("authorities").add("ctLogs");
  if (logs.length > 0) needs.add("logs");
  if (timestampAuthorities.length > 0) needs.add("timestampAuthorities");
  const sources = { needs, warn: (text: string) => io.stderr.write(`WARNING: ${text}\n`) };
  if (flags.trustedRoot !== "") return loadTrust(io, { ...sources, files: { trustedRoot: flags.trustedRoot } });
  if (!services.configured && !certified) return undefined;
  if (needs.size === 0) return undefined;
  try {
    return await loadTrust(io, { ...sources, files: {} });
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    io.stderr.write(`WARNING: the new signature cannot be checked before it is stored: ${error.message}\n`);
    return undefined;
  }
}

/**
 * Says what becomes public before it does, and asks where cosign asks: when URL flags and not a signing config name the log.
 *
 * @param by.ask asks in any case
 * @param by.who what tells who signed: a key, or an identity with a certificate
 */
async function announce(
  io: Io,
  flags: Flags,
  by: { services: SigningServices; who: string; authority?: URL; ask: boolean },
): Promise<void> {
  const { logs } = by.services.witnesses;
  const hosts = new Set([by.authority, ...logs.map(({ url }) => url)].flatMap((url) => url?.host ?? []));
  if (hosts.size === 0) return;
  const where = [...hosts].join(" and ");
  const notice = `${by.who} and the signature become part of public records at ${where}, which cannot be undone.`;
  if (!by.ask && (by.services.configured || logs.length === 0)) io.stderr.write(`Note: ${notice}\n`);
  else await confirm(io, { assumeYes: flags.yes, warning: notice });
}

async function issueCertificate(
  io: Io,
  flags: Flags,
  by: { services: SigningServices; signer: Signer; trust: TrustedMaterial | undefined; ask: boolean },
): Promise<SigningCertificate> {
  const { certificateAuthority: url, oidcIssuer: issuer, noCertificateAuthority: reason } = by.services;
  if (!url) throw noAuthority(reason);
  const { obtainIdentityToken } = await import("../services/oidc/identity-token.ts");
  const { requestCertificate } = await import("../services/fulcio.ts");
  const token = await obtainIdentityToken(io, {
    identityToken: flags.identityToken,
    flow: flags.fulcioAuthFlow,
    issuer,
    clientId: flags.oidcClientId,
    clientSecretFile: flags.oidcClientSecretFile,
    redirectUrl: flags.oidcRedirectUrl,
    provider: flags.oidcProvider,
    disableAmbient: flags.oidcDisableAmbientProviders,
    yes: flags.yes,
  });
  const { subject, raw, isEmail } = token;
  checkAudience(io, token, { clientId: flags.oidcClientId, authority: url });
  const who = `your identity ${printable(subject)}`;
  await announce(io, flags, { services: by.services, who, authority: url, ask: by.ask });
  const issued = await requestCertificate(io, { url, token: raw, subject, signer: by.signer });
  await checkCertificate(io, { issued, email: isEmail ? subject : undefined, trust: by.trust });
  return issued;
}

/** A certificate the user has already, to be stored with the signature. */
async function readGivenCertificate(io: Io, flags: Flags, signer: Signer): Promise<SigningCertificate | undefined> {
  if (flags.certificate === "") {
    if (flags.certificateChain !== "") throw new TsignError("usage", "--certificate-chain needs --certificate");
    return undefined;
  }
  const certificate = await readBlob(io, flags.certificate);
  const chain = flags.certificateChain === "" ? new Uint8Array() : await readBlob(io, flags.certificateChain);
  const key = signer.publicKey;
  return naming(flags.certificate, () => readSigningCertificate({ certificate, chain, key }));
}
