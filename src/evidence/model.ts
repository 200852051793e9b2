import type { TransparencyLogEntry } from "@sigstore/bundle";
import type { TsignError } from "../errors.ts";
import type { HashName } from "../format/digest.ts";

/** Where a piece of evidence was found: for messages only, never for decisions. */
export interface Origin {
  readonly kind: "sig-tag" | "att-tag" | "referrer" | "layout" | "file";
  /** E.g. `registry/repo:sha256-….sig, layer 2` or a file name. */
  readonly where: string;
}

/** A simple-signing payload (`.sig` layer) and the signature over its bytes. */
interface SimpleSigningContent {
  readonly kind: "simple-signing";
  /** The payload exactly as stored and signed. */
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** A signature over an artifact's bytes (blob signature, bundle with a messageSignature). */
export interface BlobContent {
  readonly kind: "blob";
  readonly signature: Uint8Array;
  /** The artifact's digest as the bundle states it; legacy forms state none. */
  readonly stated?: { readonly algorithm: HashName; readonly digest: Uint8Array };
}

/** A DSSE envelope: exactly one signature, over PAE(payloadType, payload). */
export interface DsseContent {
  readonly kind: "dsse";
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** The `keyid` stored beside the signature; a hint that nothing is decided by, kept for those who read the envelope. */
  readonly keyid?: string;
}

/**
 * The key the evidence claims to be made with; nothing of it is trusted. In a bundle the certificate is the key
 * (`binding`): checking with another key is refused. The legacy forms store one beside the signature, for whoever wants it.
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
 * One signature in tsign's own terms, whatever it was stored as. Readers make it and refuse what they cannot read; they
 * never verify. Writers turn it back into a `.sig` layer, a bundle referrer or files.
 */
export interface Evidence {
  readonly origin: Origin;
  readonly content: SimpleSigningContent | BlobContent | DsseContent;
  readonly key: EvidenceKey;
  readonly log: readonly TransparencyLogEntry[];
  /** Whether the log entries were fetched for this verification, because the signature was stored without them. */
  readonly logFetched?: boolean;
  /** DER TimeStampResp (RFC 3161 §2.4.2). */
  readonly timestamps: readonly Uint8Array[];
  /** What timestamps and log entries may be over besides the signature: the whole envelope, as it was stored. */
  readonly timestamped?: Uint8Array;
  /** Annotations of the layer or referrer it was stored with. Not trusted. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The bundle it was read from, byte for byte, where it was one in a registry. */
  readonly document?: Uint8Array;
}

/** A candidate that could not be read: it is reported as failed and hides no other. */
export interface Unreadable {
  readonly origin: Origin;
  readonly unreadable: string;
  /** What was thrown where it is a defect of tsign and no fault of the candidate. */
  readonly defect?: { readonly error: unknown };
}

/**
 * A place that could not be looked through: signatures that were found count, but "there are none" cannot be said, and
 * whoever found nothing good throws this error.
 */
export interface Incomplete {
  readonly origin: Origin;
  readonly incomplete: TsignError;
}

/** What a search for signatures comes upon. */
export type Found = Evidence | Unreadable | Incomplete;
