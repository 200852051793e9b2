import type { ErrorCode } from "../errors.ts";
import type { Context } from "./context.ts";
import type { Key } from "./key.ts";
import type { Registry } from "./oci.ts";

/** A rule for a name in a certificate: the exact name, or a regular expression (RE2 syntax) that must match part of it. */
export type NameRule = string | { readonly matching: string };

/** The accepted identity in a certificate. All given parts must match. */
export interface Identity {
  /** The subject alternative name of the certificate: an e-mail address, or the URL of a workflow. */
  readonly subject: NameRule;
  /** The OIDC issuer of the identity, such as `https://accounts.google.com`. */
  readonly issuer: NameRule;
  /**
   * Required values of certificate extensions by OID (fulcio, docs/oid-info.md), compared exactly:
   * `{ "1.3.6.1.4.1.57264.1.5": "owner/repository" }`.
   */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** Requirements for a signature. Exactly one of `key` and `identity` is required; the others have strict defaults. */
export interface Requirements {
  /** The key of the signer: from `loadKey`, or PEM text of a public key. */
  readonly key?: Key | string;
  /** The identity of the signer, in its certificate. */
  readonly identity?: Identity;
  /**
   * The predicate type of the required attestation. Without it a signature is required: attestations do not count, except for the
   * statements that `tsign sign` and cosign use as signatures.
   */
  readonly predicateType?: string;
  /** Required annotations of the signature, by name. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Minimum number of different trusted transparency logs with the signature; 1 by default. */
  readonly transparencyLogs?: number;
  /**
   * Minimum number of different trusted timestamp authorities (RFC 3161); 0 by default. Existing timestamps must verify in any
   * case.
   */
  readonly timestamps?: number;
  /** Skips transparency log verification. A certificate is then valid with a timestamp, or until it expires. */
  readonly insecureIgnoreTransparencyLog?: boolean;
  /** Skips verification of signed certificate timestamps (SCT, RFC 6962, section 3.2). */
  readonly insecureIgnoreSct?: boolean;
}

/** A TUF repository with a trusted root or a signing config (The Update Framework specification). */
export interface TufRepository {
  /** URL of the mirror, or `file:` URL of a folder; Sigstore's public instance by default. */
  readonly mirror?: string;
  /** The trusted root.json; built in for Sigstore's public and staging instances. */
  readonly root?: Uint8Array;
  /** Folder to cache metadata and targets, in the layout of cosign's ~/.sigstore/root; no cache by default. */
  readonly cache?: string;
}

/** The verified signer of a signature. */
export type SignerResult =
  | {
      readonly kind: "key";
      /** PEM. */
      readonly publicKey: string;
    }
  | {
      readonly kind: "certificate";
      /** The accepted name in the certificate: an e-mail address, or the URL of a workflow. */
      readonly subject: string;
      /** The OIDC issuer of the name; absent if the certificate has none. */
      readonly issuer?: string;
      /** Values of the certificate's Fulcio extensions, by OID. */
      readonly extensions: Readonly<Record<string, string>>;
      /** PEM of the certified key. */
      readonly publicKey: string;
    };

/** One check of a verification. */
export interface CheckResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What was checked, and the result, as text for people. */
  readonly detail: string;
}

/** A verified entry of a trusted transparency log for the signature. */
export interface VerifiedLogEntry {
  /** `hashedrekord`, `dsse` or `intoto`. */
  readonly kind: string;
  readonly version: string;
  /** Decimal. */
  readonly logIndex: string;
  /** Hex. */
  readonly logId: string;
  /** When the log accepted the entry, RFC 3339 in UTC; absent for logs without times (Rekor v2). */
  readonly integratedTime?: string;
}

/** A verified timestamp (RFC 3161) from a trusted authority. */
export interface TimestampResult {
  /** RFC 3339 in UTC. */
  readonly time: string;
}

/** A subject of an in-toto statement. */
export interface StatementSubject {
  readonly name?: string;
  /** Hex by algorithm. */
  readonly digest: Readonly<Record<string, string>>;
}

/** The signed content. */
export type SignedContent =
  /** The artifact. */
  | { readonly kind: "artifact" }
  /** A simple-signing payload about an image (the legacy form). */
  | {
      readonly kind: "simple-signing";
      /** The payload's JSON text as signed. */
      readonly payload: string;
    }
  /** An in-toto statement. */
  | {
      readonly kind: "statement";
      readonly predicateType: string;
      /** The subject that matches the verified artifact or image. */
      readonly subject?: StatementSubject;
      /** The statement's JSON text as signed. */
      readonly payload: string;
    };

/** A verified signature, as plain data. All of it was verified. */
export interface VerificationResult {
  /** Where the signature was found. */
  readonly origin: string;
  readonly signer: SignerResult;
  readonly content: SignedContent;
  /** Trusted times of the signature, RFC 3339 in UTC: from log entries and timestamps. */
  readonly times: readonly string[];
  /** Empty if transparency log verification was skipped. */
  readonly logEntries: readonly VerifiedLogEntry[];
  readonly timestamps: readonly TimestampResult[];
  readonly checks: readonly CheckResult[];
}

/** Options of `createVerifier`. */
export interface VerifierOptions extends Context {
  /**
   * The trusted root: trusted_root.json (protobuf-specs, TrustedRoot) as bytes or text, or a TUF repository with one. Without it
   * only signatures with a key and without log verification can be verified.
   */
  readonly trustedRoot?: Uint8Array | string | { readonly tuf: TufRepository };
}

/** An artifact: its bytes, a stream (read once, in constant memory), or its digests in hex. */
export type Artifact =
  | Uint8Array
  | AsyncIterable<Uint8Array>
  | { readonly sha256?: string; readonly sha384?: string; readonly sha512?: string };

/** Options of `Verifier.verify`. */
export interface VerifyOptions extends Requirements {
  readonly artifact: Artifact;
  /** Name of the bundle in errors; "the bundle" by default. */
  readonly name?: string;
}

/** Verifies signatures with one trusted root. */
export interface Verifier {
  /**
   * Verifies a Sigstore bundle of version 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto): a signature of the artifact, or
   * a signed in-toto statement about it. Opens no connection.
   *
   * @param bundle the bundle's JSON, as bytes or text
   * @returns the verified facts, as plain data for JSON.stringify
   * @throws TsignError "bad-signature" for a failed check, with `check`, and `expected` and `actual` for a mismatch; "bad-bundle"
   * for a malformed bundle; "usage" for options without exactly one of key and identity
   */
  verify(bundle: Uint8Array | string, options: VerifyOptions): Promise<VerificationResult>;
}

/** Options of `verifyImage`. */
export interface VerifyImageOptions extends Requirements {
  readonly verifier: Verifier;
  readonly registry: Registry;
  /** `registry/repository` with the signatures, if it is not that of the image. */
  readonly attachmentRepository?: string;
  /**
   * http(s) URL of a Rekor v1 log, to find the log entry of signatures in the legacy form that were stored without one. By
   * default no entries are searched.
   */
  readonly rekorUrl?: string;
}

/** A signature or attestation of an image that does not verify. */
export interface ImageFailure {
  /** Where it was found. */
  readonly origin: string;
  /** The failed check; "unreadable" for a signature that could not be read or checked. */
  readonly check: string;
  readonly reason: string;
  /** The expected and actual value of a mismatch. */
  readonly expected?: string;
  readonly actual?: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A place where signatures could not be searched. */
export interface MissedPlace {
  readonly origin: string;
  /** Code of the error: "network", "auth", "registry", "limit". */
  readonly code: ErrorCode;
  readonly reason: string;
}

/** An image with at least one signature that verifies. */
export interface ImageResult {
  /** The image with its digest: `registry/repository@sha256:…`. Use it instead of the tag, which may change. */
  readonly reference: string;
  readonly digest: string;
  /** The signatures or attestations that verify, in the order they were found. */
  readonly verified: readonly [VerificationResult, ...VerificationResult[]];
  /** Those that do not verify. */
  readonly failures: readonly ImageFailure[];
  /** Places that could not be searched and may have more signatures. */
  readonly incomplete: readonly MissedPlace[];
}
