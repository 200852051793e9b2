/** The algorithms of keys made for one signing, by their names in sigstore's algorithm registry. */
export const ALGORITHMS = {
  "ecdsa-sha2-256-nistp256": { type: "ec", curve: "P-256" },
  "ecdsa-sha2-384-nistp384": { type: "ec", curve: "P-384" },
  "ecdsa-sha2-512-nistp521": { type: "ec", curve: "P-521" },
  "rsa-sign-pkcs1-2048-sha256": { type: "rsa", bits: 2048 },
  "rsa-sign-pkcs1-3072-sha256": { type: "rsa", bits: 3072 },
  "rsa-sign-pkcs1-4096-sha256": { type: "rsa", bits: 4096 },
} as const;

/** The algorithm keyless signing uses unless it is told otherwise. */
export const DEFAULT_SIGNING_ALGORITHM = "ecdsa-sha2-256-nistp256";

/** Names that `ephemeralSigner()` takes. */
export const SIGNING_ALGORITHMS: readonly string[] = Object.keys(ALGORITHMS);
