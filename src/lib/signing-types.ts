import type { Context } from "./context.ts";
import type { Key } from "./key.ts";
import type { Registry } from "./oci.ts";
import type { Verifier } from "./types.ts";

/** Returns OIDC identity tokens (JWT); the same as `IdentityProvider` of @sigstore/sign. */
export interface IdentityProvider {
  getToken(): Promise<string>;
}

/** The content of a bundle (sigstore_bundle.proto), as in @sigstore/bundle. `algorithm` is the number of a HashAlgorithm. */
export type SignatureBundle =
  | {
      $case: "messageSignature";
      messageSignature: { messageDigest: { algorithm: number; digest: Buffer }; signature: Buffer };
    }
  | {
      $case: "dsseEnvelope";
      dsseEnvelope: { payload: Buffer; payloadType: string; signatures: { sig: Buffer; keyid: string }[] };
    };

/** A log entry (sigstore_rekor.proto, TransparencyLogEntry), as in @sigstore/bundle: numbers are decimal strings. */
export interface WitnessedLogEntry {
  logIndex: string;
  logId: { keyId: Buffer };
  kindVersion: { kind: string; version: string };
  integratedTime: string;
  inclusionPromise: { signedEntryTimestamp: Buffer } | undefined;
  inclusionProof:
    | {
        logIndex: string;
        rootHash: Buffer;
        treeSize: string;
        hashes: Buffer[];
        checkpoint: { envelope: string } | undefined;
      }
    | undefined;
  canonicalizedBody: Buffer;
}

/** A log or timestamp authority; the same as `Witness` of @sigstore/sign. Timestamps are DER TimeStampResp (RFC 3161). */
export interface SigstoreWitness {
  /** Records or timestamps a signature. @param publicKey PEM of the certificate, or of the key if there is no certificate */
  testify(
    signature: SignatureBundle,
    publicKey: string,
  ): Promise<{ tlogEntries?: WitnessedLogEntry[]; rfc3161Timestamps?: { signedTimestamp: Buffer }[] }>;
}

/** A `Witness` of @sigstore/sign for a session, with the properties that the session needs. */
export interface SessionWitness {
  readonly witness: SigstoreWitness;
  /** A transparency log makes the signature public; a timestamp authority only receives a digest. */
  readonly role: "log" | "timestamp-authority";
  /** Its name for `onPublish`, such as its host. */
  readonly name: string;
  /** Major version of a log's API, 1 or 2, which determines the signatures that it can check; 1 by default. */
  readonly version?: number;
}

/** Options of `openSession`: the signer, and the services to use. */
export interface SessionOptions extends Context {
  /** The key to sign with. Exactly one of `key` and `identity` is required. */
  readonly key?: Key;
  /**
   * Signs keylessly: with a new key, and a certificate for the identity in an OIDC token (JWT). The token is sent only to the
   * certificate authority of the signing config.
   */
  readonly identity?: string | IdentityProvider;
  /** The audience that the certificate authority expects; "sigstore" by default. Tokens for another one are refused. */
  readonly audience?: string;
  /**
   * The services to use: a signing config of version 0.2 (protobuf-specs, SigningConfig) as bytes or JSON text. Without it there
   * are no log entries and timestamps, which is only possible with `key`.
   */
  readonly signingConfig?: Uint8Array | string;
  /** Logs and timestamp authorities in addition to those of the signing config. */
  readonly witnesses?: readonly SessionWitness[];
  /** Verifies the certificate and each new signature before it is returned; without it they are not verified. */
  readonly verifier?: Verifier;
  /**
   * Called once before anything becomes public, with the identity of the certificate and the hosts of the services. An
   * exception stops the signing.
   */
  readonly onPublish?: (publication: Publication) => void | Promise<void>;
}

/** What will become part of permanent public records. */
export interface Publication {
  /** The identity of the certificate; absent when signing with a key. */
  readonly identity?: string;
  /** Hosts of the certificate authority and the logs. */
  readonly places: readonly string[];
}

/** A key with its certificate and services, for any number of signatures. */
export interface Session {
  /** PEM. */
  readonly publicKey: string;
  /** PEM of the certificate; absent when signing with a key. */
  readonly certificate?: string;
  /**
   * Signs an artifact, read once and in constant memory. Only pure Ed25519 keeps it in memory, up to 128 MiB.
   *
   * @returns a Sigstore bundle of version 0.3: JSON text
   * @throws TsignError "auth", "network", "timeout" or "service" of a service; "untrusted" if the new signature does not verify;
   * "limit" for an artifact that is too large for the key
   */
  signArtifact(artifact: Uint8Array | AsyncIterable<Uint8Array>): Promise<string>;
  /**
   * Signs an in-toto statement in a DSSE envelope.
   *
   * @param statement JSON text, or a value for JSON.stringify
   * @returns a Sigstore bundle of version 0.3: JSON text
   * @throws TsignError as `signArtifact`; "unsupported" for a key whose signatures of envelopes the logs cannot check
   */
  signStatement(statement: string | object): Promise<string>;
}

/** Options of `signImage`. */
export interface SignImageOptions {
  readonly session: Session;
  readonly registry: Registry;
  /** Annotations to sign with the image. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** `registry/repository` for the signature, instead of the repository of the image. */
  readonly attachmentRepository?: string;
  /** The creation time in the signature's manifest; the registry's `now` by default. */
  readonly created?: Date;
}

/** Options of `attestImage`. */
export interface AttestImageOptions extends Omit<SignImageOptions, "annotations"> {
  /** URI of the predicate type, such as `https://slsa.dev/provenance/v1`. */
  readonly predicateType: string;
  /** A value for JSON.stringify. */
  readonly predicate: unknown;
}

/** A stored signature or attestation of an image. */
export interface SignedImage {
  /** The image with its digest: `registry/repository@sha256:…`. */
  readonly reference: string;
  readonly digest: string;
  /** The Sigstore bundle: JSON text. */
  readonly bundle: string;
  /** The manifest of the signature with its digest. Its subject is the image (OCI image-spec 1.1). */
  readonly stored: string;
}
