import type { ErrorCode } from "../errors.ts";
import type { Context } from "./context.ts";
import type { Key } from "./key.ts";
import type { Registry } from "./oci.ts";

/** A name to compare with one in a certificate: the whole name, or a regular expression (RE2 syntax) that finds a match in it. */
export type NameRule = string | { readonly matching: string };

/** Whose certificate is accepted. Every part that is given must hold. */
export interface Identity {
  /** The name in the certificate: an e-mail address, or the URL of a workflow. */
  readonly subject: NameRule;
  /** The OIDC issuer that proved it, such as `https://accounts.google.com`. */
  readonly issuer: NameRule;
  /**
   * Text that extensions of the certificate must have, by OID (fulcio, docs/oid-info.md), compared exactly:
   * `{ "1.3.6.1.4.1.57264.1.5": "owner/repository" }`.
   */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** What has to hold of a signature. Exactly one of `key` and `identity` is required; the rest has strict defaults. */
export interface Requirements {
  /** The key that must have signed: of `loadKey`, or the PEM text of a public key. */
  readonly key?: Key | string;
  /** The identity whose certificate must have signed. */
  readonly identity?: Identity;
  /**
   * The predicate type of the in-toto statement that must be signed. Without it a signature counts, and of statements only
   * those that `tsign sign` and cosign make of a signature: an attestation is not a signature.
   */
  readonly predicateType?: string;
  /** Annotations that the signature must carry, by name. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** How many different trusted transparency logs must have it, at the least; 1 by default. */
  readonly transparencyLogs?: number;
  /**
   * How many different trusted authorities must have signed a timestamp (RFC 3161), at the least; none by default. One that
   * is there has to hold in any case.
   */
  readonly timestamps?: number;
  /** Do without an entry in a trusted transparency log. A certificate is then valid only by a timestamp, or until it expires. */
  readonly insecureIgnoreTransparencyLog?: boolean;
  /** Do without the proof that the certificate was made public (SCT, RFC 6962, section 3.2). */
  readonly insecureIgnoreSct?: boolean;
}

/** A TUF repository that distributes a trusted root, or a signing config (The Update Framework specification). */
export interface TufRepository {
  /** Address of the mirror; Sigstore's public instance by default. `file:` URLs name a folder. */
  readonly mirror?: string;
  /** root.json to start from; known for Sigstore's public instance and its staging. */
  readonly root?: Uint8Array;
  /** Folder to keep metadata and targets in between runs, in the layout of cosign's ~/.sigstore/root; none by default. */
  readonly cache?: string;
}

/** Who made a signature that verifies. */
export type SignerResult =
  | {
      readonly kind: "key";
      /** PEM. */
      readonly publicKey: string;
    }
  | {
      readonly kind: "certificate";
      /** The name of the certificate that was accepted: an e-mail address, or the URL of a workflow. */
      readonly subject: string;
      /** The OIDC issuer that proved the name; absent where the certificate states none. */
      readonly issuer?: string;
      /** Text of the certificate's Fulcio extensions, by OID. */
      readonly extensions: Readonly<Record<string, string>>;
      /** PEM of the certified key. */
      readonly publicKey: string;
    };

/** One check of a verification, in the order they were made. */
export interface CheckResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What was checked, expected and found: text for people. */
  readonly detail: string;
}

/** An entry of a trusted transparency log that is included in it and is about the signature. */
export interface VerifiedLogEntry {
  /** `hashedrekord`, `dsse` or `intoto`. */
  readonly kind: string;
  readonly version: string;
  /** Decimal. */
  readonly logIndex: string;
  /** Hex. */
  readonly logId: string;
  /** When the log promised to include it, RFC 3339 in UTC; absent where the log gives no time (Rekor v2). */
  readonly integratedTime?: string;
}

/** A signed timestamp (RFC 3161) of a trusted authority. */
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

/** What was signed. */
export type SignedContent =
  /** The artifact itself. */
  | { readonly kind: "artifact" }
  /** A simple-signing payload of an image (the legacy form). */
  | {
      readonly kind: "simple-signing";
      /** The payload's JSON text, as it was signed. */
      readonly payload: string;
    }
  /** An in-toto statement. */
  | {
      readonly kind: "statement";
      readonly predicateType: string;
      /** The subject that is what was verified. */
      readonly subject?: StatementSubject;
      /** The statement's JSON text, as it was signed. */
      readonly payload: string;
    };

/** A signature that verifies: plain data, and everything in it was verified. */
export interface VerificationResult {
  /** Where the signature was found. */
  readonly origin: string;
  readonly signer: SignerResult;
  readonly content: SignedContent;
  /** Every time the signature is known to have existed at, RFC 3339 in UTC: promised by logs, signed by authorities. */
  readonly times: readonly string[];
  /** Empty where the transparency log was not checked. */
  readonly logEntries: readonly VerifiedLogEntry[];
  readonly timestamps: readonly TimestampResult[];
  readonly checks: readonly CheckResult[];
}

/** What a verifier is made of. */
export interface VerifierOptions extends Context {
  /**
   * Whom to trust besides the key or identity of each call: a trusted_root.json (protobuf-specs, TrustedRoot) as bytes or
   * text, or a TUF repository that distributes one. Without it only signatures by a key verify, and only without a log.
   */
  readonly trustedRoot?: Uint8Array | string | { readonly tuf: TufRepository };
}

/** An artifact to verify: its bytes, a stream that is read once in constant memory, or its digests in hex. */
export type Artifact =
  | Uint8Array
  | AsyncIterable<Uint8Array>
  | { readonly sha256?: string; readonly sha384?: string; readonly sha512?: string };

/** What `Verifier.verify` takes: what was signed, and who has to have signed it. */
export interface VerifyOptions extends Requirements {
  readonly artifact: Artifact;
  /** What errors call the bundle; "the bundle" by default. */
  readonly name?: string;
}

/** Verifies signatures against one trusted root. */
export interface Verifier {
  /**
   * Verifies a Sigstore bundle of version 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto): a signature of the artifact, or
   * a signed in-toto statement about it. Opens no connection.
   *
   * @param bundle the bundle's JSON, as bytes or text
   * @returns what was verified, as plain data that JSON.stringify takes
   * @throws TsignError "bad-signature" where a check fails, with `check`, and `expected` and `actual` where values were
   * compared; "bad-bundle" for a bundle that cannot be read; "usage" for options without exactly one of key and identity
   */
  verify(bundle: Uint8Array | string, options: VerifyOptions): Promise<VerificationResult>;
}

/** What `verifyImage` takes: whose signature the image has to have, and where it is. */
export interface VerifyImageOptions extends Requirements {
  readonly verifier: Verifier;
  readonly registry: Registry;
  /** `registry/repository` where signatures are kept, when it is not the image's own. */
  readonly attachmentRepository?: string;
  /**
   * http(s) URL of a Rekor v1 that signatures of the legacy form are looked up in, when they were stored without their log entry.
   * None are looked up by default.
   */
  readonly rekorUrl?: string;
}

/** A signature or attestation of an image that does not count. */
export interface ImageFailure {
  /** Where it was found. */
  readonly origin: string;
  /** The check that failed; "unreadable" for what could not be read, or judged for want of an answer. */
  readonly check: string;
  readonly reason: string;
  /** Of a check that compares values: what it demands, and what it found. */
  readonly expected?: string;
  readonly actual?: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A place that could not be looked through. */
export interface MissedPlace {
  readonly origin: string;
  /** Of the error: "network", "auth", "registry", "limit". */
  readonly code: ErrorCode;
  readonly reason: string;
}

/** An image that at least one signature verifies for. */
export interface ImageResult {
  /** The image by its digest: `registry/repository@sha256:…`. Use this one from here on, and not the tag it was asked for by. */
  readonly reference: string;
  readonly digest: string;
  /** The signatures or attestations that verify, at least one, in the order they were found. */
  readonly verified: readonly [VerificationResult, ...VerificationResult[]];
  /** Those that do not. */
  readonly failures: readonly ImageFailure[];
  /** Places that could not be looked through: there may be more. */
  readonly incomplete: readonly MissedPlace[];
}
