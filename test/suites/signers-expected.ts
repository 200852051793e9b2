/** What a library or cosign cannot do: rows of the suite by their names, the first column that fails, and how. */
export interface Exception {
  readonly rows: RegExp;
  readonly column: "made" | "tsign" | "cosign";
  readonly reason: RegExp;
  readonly why: string;
}

/** The first that matches a row counts. */
export const CANNOT: readonly Exception[] = [
  {
    rows: /^keyless, envelope, Rekor 2: .*their witnesses/,
    column: "cosign",
    reason: /--trusted-root only supported with --new-bundle-format/,
    why: "RekorWitness has envelopes logged as `dsse` 0.0.2; cosign 3.1.2 takes a bundle with such an entry for none",
  },
  {
    rows: /^(?!keyless).*, Rekor 2: .*their witnesses/,
    column: "made",
    reason: /invalid verifier key/,
    why: "RekorWitness sends Rekor 2 every key as a certificate, and as one of P-256",
  },
  {
    rows: /^P-384, envelope, Rekor 1: their builder, our signer, /,
    column: "made",
    reason: /a signature does not match any verifier/,
    why: "Rekor 1 checks envelopes over SHA-256, which a `Signer` cannot be asked for, but be told before",
  },
  {
    rows: /^P-384, envelope, Rekor 1: our session, a foreign signer/,
    column: "made",
    reason: /Rekor v1 requires SHA-256 for envelopes/,
    why: "the same from the other side: a foreign signer has one hash",
  },
  {
    rows: /^P-384, message, Rekor 1: our session, their witnesses/,
    column: "made",
    reason: /data\.hash: invalid digest/,
    why: "RekorWitness calls every digest SHA-256",
  },
  {
    rows: /P-384, message, .*their builder/,
    column: "made",
    reason: /invalid signature/,
    why: "MessageSignatureBundleBuilder states the SHA-256 of what was signed over SHA-384",
  },
  {
    rows: /^Ed25519, (message, Rekor 1|.*, Rekor 2): their builder/,
    column: "made",
    reason: /invalid signature/,
    why: "logs of digests check Ed25519ph alone, which a `Signer` cannot be asked for",
  },
  {
    rows: /^Ed25519, (message, Rekor 1|.*, Rekor 2): our session$/,
    column: "cosign",
    reason: /failed to verify signature|accepted signatures do not match threshold/,
    why: "cosign 3.1.2 verifies with an Ed25519 key pure signatures alone",
  },
];
