import { encodeBase64 } from "../format/base64.ts";
import { goJson } from "../format/go-json.ts";
import { toLegacyLogEntry } from "./legacy-proofs.ts";
import type { Evidence } from "./model.ts";
import { certificatePem } from "./write-legacy.ts";

/**
 * The legacy bundle of an attestation, as cosign 2 and 3 write it to --bundle: its envelope stands where a file's bundle has
 * the signature; the certificate and the log's promise where there are any.
 */
export function legacyAttestationBundle({ key, log }: Evidence, envelope: string): string {
  const [rekorBundle] = log.flatMap((entry) => toLegacyLogEntry(entry) ?? []);
  return goJson({
    base64Signature: encodeBase64(Buffer.from(envelope)),
    ...(key.kind === "certificate" ? { cert: encodeBase64(Buffer.from(certificatePem(key.leaf))) } : {}),
    ...(rekorBundle ? { rekorBundle } : {}),
  });
}
