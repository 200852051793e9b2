import { TsignError } from "../errors.ts";
import type { Signer } from "../keys/types.ts";
import type { Witness } from "./witness.ts";

/** What is signed: a document in an envelope, or a message as it is. */
export type ContentKind = "envelope" | "message";

type Logs = readonly Pick<Witness, "version">[];

/**
 * Rekor refuses a larger request for a `dsse` entry (its max_request_body_size by default, 32 MiB), which holds the whole
 * envelope, and a certificate besides. Bytes.
 */
const MAX_LOGGED_ENVELOPE = 32 * 1024 * 1024 - 16 * 1024;

/**
 * Refuses an envelope that a log will not take, before a certificate for it is public.
 *
 * @param size bytes of the largest envelope that will be signed
 * @throws TsignError "limit"
 */
export function requireLoggable(logs: Logs, size: number): void {
  if (size <= MAX_LOGGED_ENVELOPE || logs.every(({ version }) => version !== 1)) return;
  throw new TsignError("limit", `the attestation has about ${size} bytes, more than the log takes`, {
    hint: "sign with a log of Rekor v2, which records its digest alone, or without a log",
  });
}

/**
 * The signer whose signatures the logs can check. Logs that check by digest alone (all but Rekor v1's envelopes) need an
 * Ed25519 key to sign pre-hashed (Ed25519ph, RFC 8032 §5.1). Rekor v1 checks envelopes over SHA-256, whatever the key.
 *
 * @throws TsignError "unsupported" when the key cannot sign so
 */
export function loggable(signer: Signer, logs: Logs, content: ContentKind): Signer {
  const { kind, hash } = signer.publicKey;
  const byDigest = logs.some(({ version }) => version !== 1 || content === "message");
  if (logs.length > 0 && !byDigest && kind.type !== "ed25519" && hash !== "sha256") {
    if (signer.sha256) return signer.sha256;
    throw new TsignError("unsupported", `Rekor v1 checks envelopes over SHA-256, and this key signs over ${hash}`, {
      hint: "sign with a log of Rekor v2, without a log, or with a key of another kind",
    });
  }
  if (kind.type !== "ed25519" || !byDigest) return signer;
  if (signer.prehashed) return signer.prehashed;
  throw new TsignError("unsupported", "this Ed25519 key cannot make the pre-hashed signatures that the log records", {
    hint: "sign without a log, or with a key of another kind",
  });
}
