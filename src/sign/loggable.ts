import { TsignError } from "../errors.ts";
import type { Signer } from "../keys/types.ts";
import type { Witness } from "./witness.ts";

/** The kind of content: a document in an envelope, or a bare message. */
export type ContentKind = "envelope" | "message";

type Logs = readonly Pick<Witness, "version">[];

/**
 * Bytes of the largest envelope for Rekor v1. Its default max_request_body_size is 32 MiB, for a request with the whole
 * envelope and the certificate.
 */
const MAX_LOGGED_ENVELOPE = 32 * 1024 * 1024 - 16 * 1024;

/**
 * Refuses an envelope that is too large for a log, before a certificate is issued.
 *
 * @param size bytes of the largest envelope that will be signed
 * @throws TsignError "limit"
 */
export function requireLoggable(logs: Logs, size: number): void {
  if (size <= MAX_LOGGED_ENVELOPE || logs.every(({ version }) => version !== 1)) return;
  throw new TsignError(
    "limit",
    `attestation too large for Rekor v1: about ${size} bytes, the limit is ${MAX_LOGGED_ENVELOPE}`,
    {
      hint: "use a Rekor v2 log, which only records the digest, or no log",
    },
  );
}

/**
 * Returns the signer whose signatures the logs can check. Logs that only know the digest (all except Rekor v1 for envelopes)
 * require an Ed25519 key to sign pre-hashed (Ed25519ph, RFC 8032 §5.1). Rekor v1 checks envelopes with SHA-256 for any key.
 *
 * @throws TsignError "unsupported" if the key cannot sign that way
 */
export function loggable(signer: Signer, logs: Logs, content: ContentKind): Signer {
  const { kind, hash } = signer.publicKey;
  const byDigest = logs.some(({ version }) => version !== 1 || content === "message");
  if (logs.length > 0 && !byDigest && kind.type !== "ed25519" && hash !== "sha256") {
    if (signer.sha256) return signer.sha256;
    throw new TsignError("unsupported", `Rekor v1 requires SHA-256 for envelopes, and this key signs with ${hash}`, {
      hint: "use a Rekor v2 log, no log, or another type of key",
    });
  }
  if (kind.type !== "ed25519" || !byDigest) return signer;
  if (signer.prehashed) return signer.prehashed;
  throw new TsignError("unsupported", "the log requires pre-hashed Ed25519 signatures, which this key cannot make", {
    hint: "use no log, or another type of key",
  });
}
