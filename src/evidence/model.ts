import type { TransparencyLogEntry } from "@sigstore/bundle";
import type { TsignError } from "../errors.ts";
import type { Digest, HashName } from "../format/digest.ts";
import type { Descriptor } from "../oci/types.ts";

/** Where evidence was found. `kind` and `where` are for messages only. */
export interface Origin {
  readonly kind: "sig-tag" | "att-tag" | "referrer" | "layout" | "file";
  /** E.g. `registry/repo:sha256-….sig, layer 2` or a file name. */
  readonly where: string;
  /** What contains it in the repository: the manifest, and for a legacy signature the layer. */
  readonly stored?: { readonly manifest: Digest; readonly layer?: Descriptor };
}

/** A simple-signing payload (`.sig` layer) and the signature over its bytes. */
interface SimpleSigningContent {
  readonly kind: "simple-signing";
  /** The payload as stored and signed. */
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** A signature over an artifact's bytes (blob signature, bundle with a messageSignature). */
export interface BlobContent {
  readonly kind: "blob";
  readonly signature: Uint8Array;
  /** The artifact's digest in the bundle; legacy forms have none. */
  readonly stated?: { readonly algorithm: HashName; readonly digest: Uint8Array };
}

/** A DSSE envelope: exactly one signature, over PAE(payloadType, payload). */
export interface DsseContent {
  readonly kind: "dsse";
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** The `keyid` stored beside the signature; an unverified hint, kept for printing. */
  readonly keyid?: string;
}

/**
 * The key stored with the evidence, not trusted. A bundle's certificate is `binding`: verifying with another key is refused. A
 * certificate stored beside a legacy signature may be ignored.
 */
export type EvidenceKey =
  | {
      readonly kind: "certificate";
      /** DER (RFC 5280). */
      readonly leaf: Uint8Array;
      /** DER, from the leaf's issuer upwards. */
      readonly chain: readonly Uint8Array[];
      readonly binding: boolean;
    }
  | { readonly kind: "public-key"; readonly hint: string }
  | { readonly kind: "none" };

/**
 * One signature, independent of how it was stored. Readers create it from stored data without verifying it; writers convert it
 * back to a `.sig` layer, a bundle referrer or files.
 */
export interface Evidence {
  readonly origin: Origin;
  readonly content: SimpleSigningContent | BlobContent | DsseContent;
  readonly key: EvidenceKey;
  readonly log: readonly TransparencyLogEntry[];
  /** Whether the log entries were fetched for this verification, not stored with the signature. */
  readonly logFetched?: boolean;
  /** DER TimeStampResp (RFC 3161 §2.4.2). */
  readonly timestamps: readonly Uint8Array[];
  /** The stored envelope, which timestamps and log entries may cover instead of the signature. */
  readonly timestamped?: Uint8Array;
  /** Annotations of its layer or referrer. Not trusted. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The bytes of its bundle, if it was read from a bundle in a registry. */
  readonly document?: Uint8Array;
}

/** A candidate that could not be read. It is reported as failed, and does not affect others. */
export interface Unreadable {
  readonly origin: Origin;
  readonly unreadable: string;
  /** The exception, if it is a defect of tsign. */
  readonly defect?: { readonly error: unknown };
  /** The error, if it could not be fetched now: it may be what is looked for. */
  readonly unfetched?: TsignError;
}

/**
 * A place that could not be searched. Signatures found elsewhere still count; if none verifies, this error is the result, as
 * the image may have others.
 */
export interface Incomplete {
  readonly origin: Origin;
  readonly incomplete: TsignError;
}

/** A result of searching for signatures. */
export type Found = Evidence | Unreadable | Incomplete;
