/**
 * What cannot be done with a key, by service and kind: the columns of the table, all cosign 3.1.2's but for PSS, which a PEM
 * public key does not tell. A column with `?` fails for some signatures only. The suite fails once one of the others works.
 */
export const CANNOT: Readonly<Record<string, readonly string[]>> = {
  // Checks SHA-256 whatever the curve.
  "softhsm p-384": ["cosign by key"],
  "softhsm p-521": ["cosign by key"],
  "softhsm ed25519": ["cosign by key", "cosign signs"],
  // Takes SHA-256 for every key.
  "vault p-384": ["cosign by key", "cosign signs"],
  "vault p-521": ["cosign by key", "cosign signs"],
  "vault ed25519": ["cosign by key", "cosign signs"],
  // Asks Vault for a PSS check.
  "vault rsa-2048": ["cosign by key"],
  "vault rsa-3072": ["cosign by key"],
  "vault rsa-4096": ["cosign by key"],
  // Asks Vault about version 1.
  "vault p-256 rotated": ["cosign by key"],
  "gcp ed25519": ["cosign by key", "cosign signs"],
  "gcp pkcs1 4096 sha512": ["cosign signs"],
  "gcp pss 2048 sha256": ["tsign by pub", "cosign by pub", "cosign signs"],
  "gcp pss 3072 sha256": ["tsign by pub", "cosign by pub", "cosign signs"],
  "gcp pss 4096 sha256": ["tsign by pub", "cosign by pub", "cosign signs"],
  "gcp pss 4096 sha512": ["tsign by pub", "cosign by pub", "cosign signs"],
  // Drops leading zeros of r and s, which one in 128 has, and most on P-521.
  "azure p-256": ["cosign by key?"],
  "azure p-256 HSM": ["cosign by key?"],
  "azure p-384": ["cosign by key?"],
  "azure p-521": ["cosign by key?"],
  // Takes RSA signatures for ECDSA's.
  "azure rsa-2048": ["cosign by key", "cosign signs"],
  "azure rsa-3072": ["cosign by key", "cosign signs"],
  "azure rsa-4096": ["cosign by key", "cosign signs"],
  "azure rsa-2048 HSM": ["cosign by key", "cosign signs"],
};
