/** Algorithms for ephemeral keys, by their names in Sigstore's algorithm registry. */
export const ALGORITHMS = {
  "ecdsa-sha2-256-nistp256": { type: "ec", curve: "P-256" },
  "ecdsa-sha2-384-nistp384": { type: "ec", curve: "P-384" },
  "ecdsa-sha2-512-nistp521": { type: "ec", curve: "P-521" },
  "rsa-sign-pkcs1-2048-sha256": { type: "rsa", bits: 2048 },
  "rsa-sign-pkcs1-3072-sha256": { type: "rsa", bits: 3072 },
  "rsa-sign-pkcs1-4096-sha256": { type: "rsa", bits: 4096 },
} as const;

/** The default algorithm for keyless signing. */
export const DEFAULT_SIGNING_ALGORITHM = "ecdsa-sha2-256-nistp256";

/** The algorithm names that `ephemeralSigner()` accepts. */
export const SIGNING_ALGORITHMS: readonly string[] = Object.keys(ALGORITHMS);
