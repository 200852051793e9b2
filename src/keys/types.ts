import type { KeyObject } from "node:crypto";
import type { HashName, Message } from "../format/digest.ts";

/** The kinds of key cosign knows (RSA is PKCS#1 v1.5; ECDSA signatures are written as ASN.1 DER, and read as r‖s too). */
export type KeyKind =
  | { readonly type: "ecdsa"; readonly curve: "P-256" | "P-384" | "P-521" }
  | { readonly type: "rsa"; readonly bits: number }
  | { readonly type: "ed25519" };

/** A public key, ready to verify with. */
export interface PublicKey {
  readonly kind: KeyKind;
  /** The key's own hash: SHA-256 for RSA (but for what its service demands) and P-256, SHA-384 for P-384, SHA-512 for P-521 and Ed25519ph. */
  readonly hash: HashName;
  /** DER SubjectPublicKeyInfo (RFC 5280 §4.1). */
  readonly spki: Uint8Array;
  /** The same as PEM, label PUBLIC KEY, with a final newline. */
  readonly pem: string;
  readonly object: KeyObject;
  /** How an RSA key signs where its service allows only that: RSASSA-PSS (RFC 8017 §8.1). PKCS#1 v1.5 without it. */
  readonly padding?: "pss";
  /** Keys this one took the place of in its service, which still says that they count. */
  readonly earlier?: readonly PublicKey[];
}

/** What a message is hashed with and how: Ed25519 has a pure and a pre-hashed form (RFC 8032 §5.1). */
export interface SignatureResult {
  /** Raw signature: ASN.1 DER for ECDSA, PKCS#1 v1.5 (or the key's padding) for RSA, 64 bytes for Ed25519. */
  readonly signature: Uint8Array;
  /** Digest of the message under `PublicKey.hash` (SHA-256 for Ed25519, which signs the message itself). */
  readonly digest: { readonly algorithm: HashName; readonly value: Uint8Array };
}

/** A private key, wherever it is kept. */
export interface Signer {
  readonly publicKey: PublicKey;
  /**
   * Signs a message read once, in constant memory; pure Ed25519 alone has to hold it all and throws TsignError "limit"
   * above MAX_ED25519_MESSAGE bytes.
   */
  sign(message: Uint8Array | AsyncIterable<Uint8Array>): Promise<SignatureResult>;
  /** Of an Ed25519 key in memory: the same key making pre-hashed signatures, the form that logs of digests can check. */
  readonly prehashed?: Signer;
  /** Of a P-384 or P-521 key in memory: the same key signing over SHA-256, the only hash that Rekor v1 checks envelopes with. */
  readonly sha256?: Signer;
}

/**
 * Checks one signature; false for a bad one, whatever is wrong with it. `hashes` are tried in order; Ed25519 has none to
 * choose and is tried pure, then pre-hashed. Asynchronous because code that only large messages need is loaded on demand.
 */
export type VerifySignature = (options: {
  key: PublicKey;
  message: Message;
  signature: Uint8Array;
  hashes: readonly HashName[];
}) => Promise<boolean>;
