import { TsignError } from "../errors.ts";
import { writeEnvelope } from "../evidence/envelope.ts";
import type { Evidence } from "../evidence/model.ts";
import type { PublicKey, Signer } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import { type CertificateSource, certify, type SigningWarning } from "./certify.ts";
import { checkSignature } from "./check.ts";
import { type ContentKind, loggable, requireLoggable } from "./loggable.ts";
import {
  asLegacy,
  type SigningCertificate,
  type SigningIdentity,
  signBlob,
  signInTotoStatement,
  signPayload,
} from "./sign.ts";
import { type Witness, witnessEvidence } from "./witness.ts";

/** What is signed. */
type Content =
  /**
   * The JSON of an in-toto statement, in a DSSE envelope. In the legacy form the certificate is stored beside the envelope,
   * and timestamps are over the whole envelope instead of over the signature.
   */
  | { readonly kind: "statement"; readonly statement: Uint8Array; readonly form?: "bundle" | "legacy" }
  /** A simple-signing payload: the legacy form of an image's signature. */
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  /** A file of any size, read once. */
  | { readonly kind: "blob"; readonly blob: AsyncIterable<Uint8Array> };

/** What is about to become public. */
export interface Publication {
  /** The key that signs. */
  readonly key: PublicKey;
  /** The name that the certificate will be for; undefined for a key without an issued certificate. */
  readonly identity: string | undefined;
  /** Hosts of the certificate authority and the logs, each once; at least one. */
  readonly places: readonly string[];
}

/** How to sign, decided before anything is signed. */
export interface SessionOptions {
  /** The key; a function is called once everything that can be refused without it has been looked at. */
  readonly key: Signer | (() => Signer | Promise<Signer>);
  /** Undefined for a bare key. */
  readonly certificate?: CertificateSource | undefined;
  /** Who records and dates each signature: `openWitnesses` makes them. */
  readonly witnesses: readonly Witness[];
  /** What new signatures and certificates are checked with; without it they are not checked. */
  readonly trust?: TrustedMaterial | undefined;
  /** The kinds of content that will be signed: a key that cannot sign one so that the logs take it is refused at once. */
  readonly contents?: readonly ContentKind[];
  /** Bytes of the largest envelope that will be signed. */
  readonly envelopeSize?: number;
  /** Called once, before anything becomes public, unless nothing does; what it throws stops the signing. */
  readonly onPublish?: (publication: Publication) => void | Promise<void>;
  readonly onWarning?: (warning: SigningWarning) => void;
}

/** A key with its certificate, and the witnesses its signatures go to. */
export interface Session {
  readonly identity: { readonly key: PublicKey; readonly certificate: SigningCertificate | undefined };
  /**
   * Signs, has the signature recorded and dated by every witness, and verifies it.
   *
   * @throws TsignError of the key's service or a witness; "unsupported" for a key that the logs cannot check this content
   * of; "limit" for what is too large; "untrusted" where the new signature does not verify
   */
  sign(content: Content): Promise<Evidence>;
  /**
   * The signature of a statement that `sign` made, as the legacy form stores it: the certificate beside it, the log entries it
   * has, and dated anew over its whole envelope. Verified too.
   *
   * @throws TsignError as `sign`
   */
  legacyForm(signed: Evidence): Promise<Evidence>;
}

/**
 * Opens a key to sign with and gets its certificate. How tsign signs, from here on:
 *
 *     content → sign → (certify, once) → witness → verify → Evidence
 *
 * @throws TsignError "usage" where the options contradict one another, "limit", "unsupported", and what opening the key
 * and `certify` throw
 */
export async function openSession(io: TransportIo, options: SessionOptions): Promise<Session> {
  const { witnesses, certificate: source, trust, contents = [], onWarning = () => {} } = options;
  const logs = witnesses.filter(({ role }) => role === "log");
  const issued = source?.kind === "issued";
  requireLoggable(logs, options.envelopeSize ?? 0);
  if (issued) requireDate(witnesses, onWarning);
  const opened = typeof options.key === "function" ? await options.key() : options.key;
  const signers = contents.map((kind) => loggable(opened, logs, kind));
  const signer = signers[0] ?? opened;
  const publish = announcement(options, signer.publicKey);
  if (!issued) await publish(undefined);
  const certificate =
    source &&
    (await certify(io, source, { signer, trust, onIssue: ({ certifiedName }) => publish(certifiedName), onWarning }));

  const witnessed = async (signed: Evidence, by: readonly Witness[]) => {
    const evidence = await witnessEvidence(signed, { key: signer.publicKey, witnesses: by });
    const checked = { key: signer.publicKey, certified: issued, witnesses, now: io.now() };
    if (trust) await checkSignature(evidence, { ...checked, trust });
    return evidence;
  };
  return {
    identity: { key: signer.publicKey, certificate },
    async sign(content) {
      const kind = content.kind === "statement" ? "envelope" : "message";
      const identity = { signer: loggable(opened, logs, kind), ...(certificate ? { certificate } : {}) };
      return witnessed(await signContent(identity, content), witnesses);
    },
    legacyForm: (signed) =>
      witnessed(
        asLegacy(signed, envelopeOf(signed)),
        witnesses.filter(({ role }) => role !== "log"),
      ),
  };
}

async function signContent(identity: SigningIdentity, content: Content): Promise<Evidence> {
  switch (content.kind) {
    case "blob":
      return signBlob(identity, content.blob);
    case "payload":
      return signPayload(identity, content.payload);
    case "statement": {
      const isLegacy = content.form === "legacy";
      const signed = await signInTotoStatement(identity, content.statement, { binding: !isLegacy });
      return isLegacy ? { ...signed, timestamped: envelopeOf(signed) } : signed;
    }
  }
}

/** The envelope's JSON: the bytes that are stored. */
function envelopeOf({ content }: Evidence): Uint8Array {
  if (content.kind !== "dsse") throw new TsignError("internal", "a statement was not signed in an envelope");
  return Buffer.from(writeEnvelope(content));
}

/** Tells `onPublish` of what becomes public where; nothing is told where nothing does. */
function announcement({ certificate, witnesses, onPublish }: SessionOptions, key: PublicKey) {
  const authority = certificate?.kind === "issued" ? [certificate.authority.host] : [];
  const logs = witnesses.flatMap(({ role, name }) => (role === "log" ? [name] : []));
  const places = [...new Set([...authority, ...logs])];
  return async (identity: string | undefined) => {
    if (places.length > 0) await onPublish?.({ key, identity, places });
  };
}

/** A certificate of minutes is worth little without something that says when it was used, and a place in a log nothing. */
function requireDate(witnesses: readonly Witness[], onWarning: (warning: SigningWarning) => void): void {
  if (witnesses.some(({ role, version }) => role === "timestamp-authority" || version === 1)) return;
  if (witnesses.length > 0) {
    throw new TsignError("usage", "a short-lived certificate needs a timestamp authority, and none is configured", {
      hint: "name one in the signing config (tsaUrls), or by --timestamp-server-url with --use-signing-config=false",
    });
  }
  onWarning({
    kind: "undated",
    message:
      "nothing will say when this was signed, so that it verifies only while its certificate is valid: some minutes",
  });
}
