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
  type SigningCertificate,
  type SigningIdentity,
  signBlob,
  signInTotoStatement,
  signPayload,
  toLegacyEvidence,
} from "./sign.ts";
import { ValidCertificate } from "./valid-certificate.ts";
import { type Witness, witnessEvidence } from "./witness.ts";

/** The content to sign. */
type Content =
  /**
   * The JSON of an in-toto statement, signed in a DSSE envelope. In the legacy form the certificate is stored next to the
   * envelope, and timestamps cover the envelope instead of the signature.
   */
  | { readonly kind: "statement"; readonly statement: Uint8Array; readonly form?: "bundle" | "legacy" }
  /** A simple-signing payload, for the legacy form of an image signature. */
  | { readonly kind: "payload"; readonly payload: Uint8Array }
  /** A file of any size, read once. */
  | { readonly kind: "blob"; readonly blob: AsyncIterable<Uint8Array> };

/** What will become part of public records. */
export interface Publication {
  /** The key that signs. */
  readonly key: PublicKey;
  /** The identity of the certificate; undefined for a key without an issued certificate. */
  readonly identity: string | undefined;
  /** Hosts of the certificate authority and the logs, each once; at least one. */
  readonly places: readonly string[];
}

/** Options of a signing session. */
export interface SessionOptions {
  /** The key. A function is called once, after the checks that do not need the key. */
  readonly key: Signer | (() => Signer | Promise<Signer>);
  /** Undefined to sign with a key only. */
  readonly certificate?: CertificateSource | undefined;
  /** The logs and timestamp authorities for each signature, from `openWitnesses`. */
  readonly witnesses: readonly Witness[];
  /** Verifies new signatures and certificates; without it they are not verified. */
  readonly trust?: TrustedMaterial | undefined;
  /** The kinds of content that will be signed. A key whose signatures the logs cannot check is refused at once. */
  readonly contents?: readonly ContentKind[];
  /** Bytes of the largest envelope that will be signed. */
  readonly envelopeSize?: number;
  /** Called once before anything becomes public. An exception stops the signing. */
  readonly onPublish?: (publication: Publication) => void | Promise<void>;
  readonly onWarning?: (warning: SigningWarning) => void;
}

type IssuedSource = Extract<CertificateSource, { kind: "issued" }>;

/** A key with its certificate and witnesses. */
export interface Session {
  readonly identity: { readonly key: PublicKey; readonly certificate: SigningCertificate | undefined };
  /**
   * Signs the content, sends the signature to every witness, and verifies the result.
   *
   * @throws TsignError of the key service or a witness; "unsupported" for a key whose signatures the logs cannot check;
   * "limit" for content that is too large; "untrusted" if the new signature does not verify
   */
  sign(content: Content): Promise<Evidence>;
  /**
   * Returns the legacy form of a statement that `sign` signed: with the certificate next to the envelope, the same log entries,
   * and new timestamps over the whole envelope. The result is verified.
   *
   * @throws TsignError as `sign`
   */
  legacyForm(signed: Evidence): Promise<Evidence>;
}

/**
 * Opens the key and gets its certificate. The session then signs with this pipeline, and gets a new
 * certificate for the same identity when the first one is about to expire:
 *
 *     content → sign → (certify) → witness → verify → Evidence
 *
 * @throws TsignError "usage" for options that contradict each other, "limit", "unsupported", and what opening the key and
 * `certify` throw
 */
export async function openSession(io: TransportIo, options: SessionOptions): Promise<Session> {
  const { witnesses, certificate: source, trust, contents = [], onWarning = () => {} } = options;
  const logs = witnesses.filter(({ role }) => role === "log");
  const issued = source?.kind === "issued";
  requireLoggable(logs, options.envelopeSize ?? 0);
  if (issued) requireTimeSource(witnesses, onWarning);
  const opened = typeof options.key === "function" ? await options.key() : options.key;
  const signers = contents.map((kind) => loggable(opened, logs, kind));
  const signer = signers[0] ?? opened;
  const publish = announcement(options, signer.publicKey);
  if (!issued) await publish(undefined);
  const certificate =
    source &&
    (await certify(io, source, { signer, trust, onIssue: ({ certifiedName }) => publish(certifiedName), onWarning }));
  const again = (known: IssuedSource) => certify(io, known, { signer, trust, onIssue: () => {}, onWarning });
  const valid =
    certificate && issued
      ? new ValidCertificate(io, certificate, () => again(source))
      : { current: async () => certificate };

  // A token or key service signs one thing at a time; logs and authorities can be asked about several.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  };
  const witnessed = async (signed: Evidence, used: readonly Witness[]) => {
    const evidence = await witnessEvidence(signed, { key: signer.publicKey, witnesses: used });
    const checked = { key: signer.publicKey, certified: issued, witnesses, now: io.now() };
    if (trust) await checkSignature(evidence, { ...checked, trust });
    return evidence;
  };
  return {
    identity: { key: signer.publicKey, certificate },
    async sign(content) {
      const kind = content.kind === "statement" ? "envelope" : "message";
      const used = await valid.current();
      const identity = { signer: loggable(opened, logs, kind), ...(used ? { certificate: used } : {}) };
      return witnessed(await inTurn(() => signContent(identity, content)), witnesses);
    },
    legacyForm: (signed) =>
      witnessed(
        toLegacyEvidence(signed, envelopeOf(signed)),
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

/** Returns the JSON of the envelope: the bytes that are stored. */
function envelopeOf({ content }: Evidence): Uint8Array {
  if (content.kind !== "dsse") throw new TsignError("internal", "the statement was not signed in an envelope");
  return Buffer.from(writeEnvelope(content));
}

/** Returns a function that calls `onPublish` with what will become public, unless nothing does. */
function announcement({ certificate, witnesses, onPublish }: SessionOptions, key: PublicKey) {
  const authority = certificate?.kind === "issued" ? [certificate.authority.host] : [];
  const logs = witnesses.flatMap(({ role, name }) => (role === "log" ? [name] : []));
  const places = [...new Set([...authority, ...logs])];
  return async (identity: string | undefined) => {
    if (places.length > 0) await onPublish?.({ key, identity, places });
  };
}

/** Checks that a short-lived certificate gets a trusted time, from a timestamp or a Rekor v1 entry. Rekor v2 has none. */
function requireTimeSource(witnesses: readonly Witness[], onWarning: (warning: SigningWarning) => void): void {
  if (witnesses.some(({ role, version }) => role === "timestamp-authority" || version === 1)) return;
  if (witnesses.length > 0) {
    throw new TsignError("usage", "keyless signing with Rekor v2 requires a timestamp authority", {
      hint: "add one to the signing config (tsaUrls), or use --timestamp-server-url with --use-signing-config=false",
    });
  }
  onWarning({
    kind: "undated",
    message:
      "no timestamp or log entry will be recorded; the signature can only be verified until the certificate expires (about 10 minutes)",
  });
}
