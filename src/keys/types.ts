import type { KeyObject } from "node:crypto";
import type { HashName, Message } from "../format/digest.ts";

/** The kinds of key that cosign supports. RSA is PKCS#1 v1.5; ECDSA signatures are written as DER and read as DER or r‖s. */
export type KeyKind =
  | { readonly type: "ecdsa"; readonly curve: "P-256" | "P-384" | "P-521" }
  | { readonly type: "rsa"; readonly bits: number }
  | { readonly type: "ed25519" };

/** A public key for verification. */
export interface PublicKey {
  readonly kind: KeyKind;
  /** The default hash: SHA-256 for P-256 and RSA (unless its key service requires another), SHA-384 for P-384, SHA-512 for P-521 and Ed25519ph. */
  readonly hash: HashName;
  /** DER SubjectPublicKeyInfo (RFC 5280 §4.1). */
  readonly spki: Uint8Array;
  /** The same as PEM, label PUBLIC KEY, with a final newline. */
  readonly pem: string;
  readonly object: KeyObject;
  /** "pss" for an RSA key whose service only signs with RSASSA-PSS (RFC 8017 §8.1); PKCS#1 v1.5 otherwise. */
  readonly padding?: "pss";
  /** Earlier versions of the key that its service still accepts. */
  readonly earlier?: readonly PublicKey[];
}

/** A signature with the digest of the message. */
export interface SignatureResult {
  /** Raw signature: ASN.1 DER for ECDSA, PKCS#1 v1.5 (or the key's padding) for RSA, 64 bytes for Ed25519. */
  readonly signature: Uint8Array;
  /** Digest of the message under `PublicKey.hash` (SHA-256 for Ed25519, which signs the message itself). */
  readonly digest: { readonly algorithm: HashName; readonly value: Uint8Array };
}

/** A private key, in memory or in a key service. */
export interface Signer {
  readonly publicKey: PublicKey;
  /**
   * Signs a message, read once and in constant memory.
   *
   * @throws TsignError "limit" for pure Ed25519 and a message above MAX_ED25519_MESSAGE bytes, which it keeps in memory
   */
  sign(message: Uint8Array | AsyncIterable<Uint8Array>): Promise<SignatureResult>;
  /** For an Ed25519 key in memory: the same key with Ed25519ph, which logs can verify by digest. */
  readonly prehashed?: Signer;
  /** For a P-384 or P-521 key in memory: the same key with SHA-256, the only hash that Rekor v1 verifies envelopes with. */
  readonly sha256?: Signer;
}

/**
 * Verifies one signature; returns false for any invalid one. `hashes` are tried in order; Ed25519 ignores them and is tried
 * pure, then pre-hashed. Asynchronous because code for large messages is loaded on demand.
 */
export type VerifySignature = (options: {
  key: PublicKey;
  message: Message;
  signature: Uint8Array;
  hashes: readonly HashName[];
}) => Promise<boolean>;
