import type { Context } from "./context.ts";
import type { Key } from "./key.ts";
import type { Registry } from "./oci.ts";
import type { Verifier } from "./types.ts";

/** Gives an OIDC identity token (JWT) when it is asked: the `IdentityProvider` of @sigstore/sign. */
export interface IdentityProvider {
  getToken(): Promise<string>;
}

/** The content of a bundle (sigstore_bundle.proto), in the shape of @sigstore/bundle. `algorithm` is a HashAlgorithm's number. */
export type SignatureBundle =
  | {
      $case: "messageSignature";
      messageSignature: { messageDigest: { algorithm: number; digest: Buffer }; signature: Buffer };
    }
  | {
      $case: "dsseEnvelope";
      dsseEnvelope: { payload: Buffer; payloadType: string; signatures: { sig: Buffer; keyid: string }[] };
    };

/** A log entry (sigstore_rekor.proto, TransparencyLogEntry), in the shape of @sigstore/bundle: numbers in decimal. */
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

/** Records or dates a signature: the `Witness` of @sigstore/sign, in its own shape. Timestamps are DER TimeStampResp (RFC 3161). */
export interface SigstoreWitness {
  /** @param publicKey PEM of the certificate, or of the key where there is none */
  testify(
    signature: SignatureBundle,
    publicKey: string,
  ): Promise<{ tlogEntries?: WitnessedLogEntry[]; rfc3161Timestamps?: { signedTimestamp: Buffer }[] }>;
}

/** A witness of others for a session, and what the session has to know of it before. */
export interface SessionWitness {
  readonly witness: SigstoreWitness;
  /** A transparency log makes the signature public; a timestamp authority sees a digest alone. */
  readonly role: "log" | "timestamp-authority";
  /** How `onPublish` calls it, such as its host. */
  readonly name: string;
  /** Major version of a log's API, 1 or 2, on which depends what signatures it can check; 1 by default. */
  readonly version?: number;
}

/** Who signs, and who records and dates the signatures. */
export interface SessionOptions extends Context {
  /** The key to sign with. Exactly one of `key` and `identity` is required. */
  readonly key?: Key;
  /**
   * Signs by identity: with a key made for this session, and a certificate for the identity that an OIDC token (JWT) proves. The
   * token is sent to the certificate authority of the signing config alone.
   */
  readonly identity?: string | IdentityProvider;
  /**
   * The services to use: a signing config of version 0.2 (protobuf-specs, SigningConfig) as bytes or JSON text. Without one
   * nothing is recorded and nothing dated, which only a key can do without.
   */
  readonly signingConfig?: Uint8Array | string;
  /** Who records and dates the signatures besides the services of the signing config. */
  readonly witnesses?: readonly SessionWitness[];
  /** Verifies each new signature, and the certificate, before it is given out; without it they are not checked. */
  readonly verifier?: Verifier;
  /**
   * Called once before anything becomes public, with the identity that the certificate will state and the hosts of the
   * services. What it throws stops the signing.
   */
  readonly onPublish?: (publication: Publication) => void | Promise<void>;
}

/** What is about to become public, for ever. */
export interface Publication {
  /** The name that the certificate will be for; absent for a bare key. */
  readonly identity?: string;
  /** Hosts of the certificate authority and the logs. */
  readonly places: readonly string[];
}

/** A key, its certificate, and the services that its signatures go to; signs as often as is asked. */
export interface Session {
  /** PEM. */
  readonly publicKey: string;
  /** PEM of the certificate; absent for a bare key. */
  readonly certificate?: string;
  /**
   * Signs an artifact, read once in constant memory (pure Ed25519 alone holds it, up to 128 MiB).
   *
   * @returns a Sigstore bundle of version 0.3: JSON text
   * @throws TsignError "auth", "network", "timeout" or "service" of a service; "untrusted" where the new signature does not
   * verify; "limit" for an artifact that is too large for its key
   */
  signArtifact(artifact: Uint8Array | AsyncIterable<Uint8Array>): Promise<string>;
  /**
   * Signs an in-toto statement, in a DSSE envelope.
   *
   * @param statement its JSON, as text or as a value that JSON.stringify takes
   * @returns a Sigstore bundle of version 0.3: JSON text
   * @throws TsignError as `signArtifact`; "unsupported" for a key whose envelopes the logs cannot check
   */
  signStatement(statement: string | object): Promise<string>;
}

/** What `signImage` takes: who signs, and where the image is. */
export interface SignImageOptions {
  readonly session: Session;
  readonly registry: Registry;
  /** Annotations to sign with the image. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** `registry/repository` to keep the signature in, in place of the image's own. */
  readonly attachmentRepository?: string;
  /** The time that is written beside the signature; the registry's `now` by default. */
  readonly created?: Date;
}

/** What `attestImage` takes. */
export interface AttestImageOptions extends Omit<SignImageOptions, "annotations"> {
  /** URI of the predicate's type, such as `https://slsa.dev/provenance/v1`. */
  readonly predicateType: string;
  /** A value that JSON.stringify takes. */
  readonly predicate: unknown;
}

/** A signature or attestation that was stored with an image. */
export interface SignedImage {
  /** The image by its digest: `registry/repository@sha256:…`. */
  readonly reference: string;
  readonly digest: string;
  /** The Sigstore bundle: JSON text. */
  readonly bundle: string;
  /** The manifest that holds it, by its digest, which refers to the image (OCI image-spec 1.1, subject). */
  readonly stored: string;
}
