/** A key to verify with and, where its private half can be reached, to sign with. `loadKey` makes it. */
export interface Key {
  /** PEM, label PUBLIC KEY: SubjectPublicKeyInfo (RFC 5280, section 4.1). */
  readonly publicKey: string;
  /** `ecdsa P-256`, `ecdsa P-384`, `ecdsa P-521`, `rsa BITS` or `ed25519`. */
  readonly kind: string;
  /** What bundles name the key by: base64 of the SHA-256 of its SubjectPublicKeyInfo. */
  readonly hint: string;
  /** Whether it may sign. Of a key in a service only signing tells whether its credentials allow it. */
  readonly canSign: boolean;
}
