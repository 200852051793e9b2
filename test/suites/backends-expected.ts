/**
 * What cannot be done with a key, by service and kind, as columns of the table. All are limits of cosign 3.1.2, except for PSS:
 * a PEM public key does not record it. A column with `?` fails only for some signatures. The suite fails if one of the others
 * works.
 */
export const CANNOT: Readonly<Record<string, readonly string[]>> = {
  // It checks SHA-256 for every curve.
  "softhsm p-384": ["cosign by key"],
  "softhsm p-521": ["cosign by key"],
  "softhsm ed25519": ["cosign by key", "cosign signs"],
  // It uses SHA-256 for every key.
  "vault p-384": ["cosign by key", "cosign signs"],
  "vault p-521": ["cosign by key", "cosign signs"],
  "vault ed25519": ["cosign by key", "cosign signs"],
  // It requests a PSS verification from Vault.
  "vault rsa-2048": ["cosign by key"],
  "vault rsa-3072": ["cosign by key"],
  "vault rsa-4096": ["cosign by key"],
  // It requests version 1 from Vault.
  "vault p-256 rotated": ["cosign by key"],
  "gcp ed25519": ["cosign by key", "cosign signs"],
  "gcp pkcs1 4096 sha512": ["cosign signs"],
  "gcp pss 2048 sha256": ["tsign by pub", "cosign by pub", "cosign signs"],
  "gcp pss 3072 sha256": ["tsign by pub", "cosign by pub", "cosign signs"],
  "gcp pss 4096 sha256": ["tsign by pub", "cosign by pub", "cosign signs"],
  "gcp pss 4096 sha512": ["tsign by pub", "cosign by pub", "cosign signs"],
  // It drops leading zeros of r and s, which occur in one of 128 signatures, and in most of P-521.
  "azure p-256": ["cosign by key?"],
  "azure p-256 HSM": ["cosign by key?"],
  "azure p-384": ["cosign by key?"],
  "azure p-521": ["cosign by key?"],
  // It parses RSA signatures as ECDSA signatures.
  "azure rsa-2048": ["cosign by key", "cosign signs"],
  "azure rsa-3072": ["cosign by key", "cosign signs"],
  "azure rsa-4096": ["cosign by key", "cosign signs"],
  "azure rsa-2048 HSM": ["cosign by key", "cosign signs"],
};
