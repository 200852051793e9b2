import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { confirm, readPassword } from "../../io/prompt.ts";
import { ephemeralSigner } from "../../keys/ephemeral.ts";
import { loadSigner } from "../../keys/reference.ts";
import { DEFAULT_SIGNING_ALGORITHM } from "../../keys/signing-algorithms.ts";
import type { PublicKey } from "../../keys/types.ts";
import { readBlob } from "../../net/input.ts";
import { loadTrust } from "../../services/trust/sources.ts";
import type { CertificateSource } from "../../sign/certify.ts";
import { type ContentKind, requireLoggable } from "../../sign/loggable.ts";
import { openWitnesses, type SigningServices } from "../../sign/services.ts";
import { openSession, type Publication, type Session, type SessionOptions } from "../../sign/session.ts";
import type { Witness } from "../../sign/witness.ts";
import type { TrustedMaterial } from "../../trust/material.ts";
import type { keyFlags } from "../flags/key.ts";
import type { signingFlags } from "../flags/signing.ts";
import type { FlagValues } from "../parser/define.ts";
import { type CertifiedIdentity, certifiedIdentity, printIdentity } from "../print/certified-identity.ts";
import { rehearse, type SigningPlan, stopAtLogin } from "./dry-run.ts";
import { formsOf } from "./forms.ts";
import { keyReference } from "./key.ts";
import { noAuthority, readSigningServices, usesSigningConfig } from "./signing-services.ts";
import { requireFiles, warnAboutLegacyHash, warnUnusedFlags } from "./signing-warnings.ts";
import { loadTrustOrSaved } from "./trust.ts";

type Flags = Omit<FlagValues<typeof signingFlags & typeof keyFlags>, "outputCertificate" | "outputSignature">;

/** What a command signs, besides its flags. */
export interface SigningNeeds {
  /** Whether --bundle makes the legacy form possible with a signing config. */
  readonly bundlePathCounts: boolean;
  /** The kinds of content that will be signed. */
  readonly contents: readonly ContentKind[];
  /** Bytes of the largest envelope that will be signed. */
  readonly envelopeSize?: number;
  /** Algorithm of the key that a keyless signing generates. */
  readonly signingAlgorithm?: string;
  /** Output files, "" for none; refused where the signing does not produce them. */
  readonly files?: { readonly certificate: string; readonly timestamp: string };
  /** Whether to ask before a legacy signature is logged that cosign does not verify. */
  readonly askAboutHash?: boolean;
  /** The flag that compares with stored signatures, if it is set: they are verified with the trusted root of the services. */
  readonly skips?: "--skip-signed" | "--skip-attested" | undefined;
}

/** What the signatures of a signing are verified with. */
interface SignatureVerification {
  readonly witnesses: readonly Witness[];
  /** Undefined where it cannot be fetched, or nothing needs it. */
  readonly trust: TrustedMaterial | undefined;
  /** Whether a certificate was issued. */
  readonly certified: boolean;
  /** The identity in the certificate; undefined without one. */
  readonly identity: CertifiedIdentity | undefined;
}

/** An open signing. */
export interface Opened {
  readonly session: Session;
  /** Whether its signatures get a timestamp. */
  readonly timestamped: boolean;
  /** What a verifier has to name; undefined for a bare key, and without a log entry, where naming it is not enough. */
  readonly identity?: CertifiedIdentity | undefined;
  /** What its signatures are verified with. */
  readonly verification: SignatureVerification;
  /** Only with --dry-run: what a signing would do. The session then signs without certificate, logs and timestamps. */
  readonly plan?: SigningPlan;
}

/**
 * Opens the session of the flags: the key, or a new one with a certificate for the signer's identity; the services; the trusted
 * root. Before anything becomes public it prints what does, and it warns of unused flags.
 *
 * @throws TsignError
 */
export async function openSigning(io: Io, flags: Flags, needs: SigningNeeds): Promise<Opened> {
  const reference = keyReference(flags);
  const keyless = reference === "";
  const certified = keyless || flags.issueCertificate;
  if (flags.oidcClientSecretFile !== "") await readBlob(io, flags.oidcClientSecretFile); // a wrong path fails before the login
  if (flags.dryRun && certified && needs.skips) {
    throw new TsignError("usage", `${needs.skips} with --dry-run requires --key: the certificate is not issued`, {
      hint: `leave out one of ${needs.skips} and --dry-run`,
    });
  }
  const services = await readSigningServices(io, flags, { ...needs, certified });
  requireLoggable(services.logs, needs.envelopeSize ?? 0);
  warnUnusedFlags(io, flags, { certified, services });
  requireFiles(flags, { files: needs.files, certified, services });
  const witnesses = openWitnesses(io, services);
  const trust = await trustForSigning(io, flags, { services, certified, required: needs.skips !== undefined });
  const options: SessionOptions = {
    ...{ contents: needs.contents, witnesses, trust },
    key: () =>
      keyless
        ? ephemeralSigner(needs.signingAlgorithm ?? DEFAULT_SIGNING_ALGORITHM)
        : loadSigner(io, reference, () => readPassword(io, { confirm: false })),
    certificate: certified ? issuedCertificate(io, flags, services) : await givenCertificate(io, flags),
    onPublish: (publication) => confirmPublicUpload(io, flags, { publication, services, needs }),
    onWarning: ({ message }) => void io.stderr.write(`WARNING: ${message}\n`),
  };
  const timestamped = services.timestampAuthorities.length > 0;
  if (flags.dryRun) {
    const warn = (key: PublicKey) => void (needs.contents.includes("message") && warnAboutLegacyHash(io, flags, key));
    const rehearsed = await rehearse(io, options, { reference, services, beforePublishing: warn });
    return { ...rehearsed, timestamped, verification: { witnesses, trust, certified, identity: undefined } };
  }
  const session = await openSession(io, options);
  const { certificate } = session.identity;
  const identity = certified && certificate ? await certifiedIdentity(certificate.leaf) : undefined;
  if (identity) printIdentity(io.stderr, identity);
  const isLogged =
    services.logs.length > 0 &&
    (formsOf(flags, new Set()).bundle || services.logs.some(({ version }) => version === 1));
  const verification = { witnesses, trust, certified, identity };
  return { session, timestamped, verification, ...(isLogged ? { identity } : {}) };
}

/** Loads the trusted root to verify new signatures with. Where it cannot be fetched, tsign signs all the same, as cosign does, and warns. */
async function trustForSigning(
  io: Io,
  flags: Flags,
  { services, certified, required }: { services: SigningServices; certified: boolean; required: boolean },
): Promise<TrustedMaterial | undefined> {
  const { logs, timestampAuthorities } = services;
  const needs = new Set<keyof TrustedMaterial>();
  if (certified) needs.add("authorities").add("ctLogs");
  if (logs.length > 0) needs.add("logs");
  if (timestampAuthorities.length > 0) needs.add("timestampAuthorities");
  const sources = { needs, warn: (text: string) => io.stderr.write(`WARNING: ${text}\n`) };
  if (flags.trustedRoot !== "") return loadTrustOrSaved(io, { ...sources, files: { trustedRoot: flags.trustedRoot } });
  if (!usesSigningConfig(flags) && !certified && !required) return undefined;
  if (needs.size === 0) return undefined;
  try {
    return await loadTrust(io, { ...sources, files: {} });
  } catch (error) {
    if (!(error instanceof TsignError) || required) throw error;
    io.stderr.write(`WARNING: the new signature is stored without being verified: ${error.message}\n`);
    return undefined;
  }
}

/** Prints what becomes public, and asks where cosign does: when the log comes from URL flags and not from a signing config. */
async function confirmPublicUpload(
  io: Io,
  flags: Flags,
  { publication, services, needs }: { publication: Publication; services: SigningServices; needs: SigningNeeds },
): Promise<void> {
  const { key, identity, places } = publication;
  const unusual = needs.contents.includes("message") && warnAboutLegacyHash(io, flags, key);
  const who = identity === undefined ? "your key" : `your identity ${printable(identity)}`;
  const notice = `${who} and the signature become part of public records at ${places.join(" and ")}, which cannot be undone`;
  const ask = unusual && needs.askAboutHash === true;
  if (!ask && (usesSigningConfig(flags) || services.logs.length === 0)) io.stderr.write(`Note: ${notice}\n`);
  else await confirm(io, { assumeYes: flags.yes, warning: notice });
}

function issuedCertificate(io: Io, flags: Flags, services: SigningServices): CertificateSource {
  const { certificateAuthority: authority, oidcIssuer: issuer, noCertificateAuthority: reason } = services;
  if (!authority) throw noAuthority(reason);
  const token = async () => {
    const { obtainIdentityToken } = await import("../../services/oidc/identity-token.ts");
    return interruptible(io, () =>
      obtainIdentityToken(io, {
        identityToken: flags.identityToken,
        flow: flags.fulcioAuthFlow,
        issuer,
        clientId: flags.oidcClientId,
        clientSecretFile: flags.oidcClientSecretFile,
        redirectUrl: flags.oidcRedirectUrl,
        provider: flags.oidcProvider,
        disableAmbient: flags.oidcDisableAmbientProviders,
        yes: flags.yes,
        beforeLogin: flags.dryRun ? stopAtLogin : undefined,
      }),
    );
  };
  return { kind: "issued", authority, identity: { audience: flags.oidcClientId, token } };
}

/** Runs a login, so that Ctrl-C ends it with an error on a line of its own, below the prompt. */
async function interruptible<T>(io: Io, login: () => Promise<T>): Promise<T> {
  const leavePrompt = () => void (io.tty.stdin && io.stderr.write("\n"));
  io.signal.addEventListener("abort", leavePrompt);
  try {
    return await io.orderly(login);
  } finally {
    io.signal.removeEventListener("abort", leavePrompt);
  }
}

/** Reads the certificate of --certificate, to store it with the signature. */
async function givenCertificate(io: Io, flags: Flags): Promise<CertificateSource | undefined> {
  if (flags.certificate === "") {
    if (flags.certificateChain !== "") throw new TsignError("usage", "--certificate-chain requires --certificate");
    return undefined;
  }
  const certificate = await readBlob(io, flags.certificate);
  const chain = flags.certificateChain === "" ? new Uint8Array() : await readBlob(io, flags.certificateChain);
  return { kind: "given", name: flags.certificate, certificate, chain };
}
