/** A key from `loadKey`, to verify with and, if it has a private key, to sign with. */
export interface Key {
  /** PEM, label PUBLIC KEY: SubjectPublicKeyInfo (RFC 5280, section 4.1). */
  readonly publicKey: string;
  /** `ecdsa P-256`, `ecdsa P-384`, `ecdsa P-521`, `rsa BITS` or `ed25519`. */
  readonly kind: string;
  /** The hint in bundles: base64 of the SHA-256 of its SubjectPublicKeyInfo. */
  readonly hint: string;
  /** Whether it can sign. A key service may still deny the permission. */
  readonly canSign: boolean;
}
