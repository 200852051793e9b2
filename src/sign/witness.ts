import type { Bundle } from "@sigstore/bundle";
import type { Witness as SigstoreWitness, VerificationMaterial } from "@sigstore/sign";
import { bundleContent } from "../evidence/bundle/write.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import type { BlobContent, Evidence } from "../evidence/model.ts";
import { type HashName, messageOf } from "../format/digest.ts";
import type { PublicKey } from "../keys/types.ts";

/** Details of a signature that the PEM text of the key does not contain. */
interface SignatureDetails {
  /** The hash that the key signs with. */
  readonly hash: HashName;
}

/**
 * A log that records signatures, or a timestamp authority: a `Witness` of @sigstore/sign with the properties that the pipeline
 * needs. For any other `Witness` of that library, see `witnessOf` in sigstore-js.ts.
 */
export interface Witness extends SigstoreWitness {
  /** A transparency log, which makes the signature public, or a timestamp authority, which receives only a digest. */
  readonly role: "log" | "timestamp-authority";
  /** Name for messages: its host. */
  readonly name: string;
  /** Major version of a log's API, which determines the signatures that it can check (`loggable`). */
  readonly version: number;
  /**
   * Records or timestamps a signature.
   *
   * @param signature the content of a bundle: an envelope, or a signature with its digest
   * @param publicKey PEM of the certificate, or of the key if there is no certificate
   * @throws TsignError "auth", "network", "service" or "timeout"
   */
  readonly testify: (
    signature: Bundle["content"],
    publicKey: string,
    details?: SignatureDetails,
  ) => Promise<VerificationMaterial>;
}

/**
 * Sends a signature to all witnesses in parallel, and returns it with their log entries and timestamps. If one witness fails,
 * this fails.
 *
 * @param options.key the key that signed; if the evidence has a certificate, witnesses get that instead
 * @throws TsignError of the witness that failed
 */
export async function witnessEvidence(
  evidence: Evidence,
  { key, witnesses }: { key: PublicKey; witnesses: readonly Witness[] },
): Promise<Evidence> {
  const pem = evidence.key.kind === "certificate" ? certificatePem(evidence.key.leaf) : key.pem;
  const { content, timestamped } = evidence;
  // Bundles cannot contain a simple-signing payload, so its signature is passed as one over a blob.
  const signature = bundleContent(
    content.kind === "simple-signing" ? signatureOver(content.payload, content.signature, key.hash) : content,
  );
  // Attestations in the legacy form are timestamped over their whole envelope.
  const timestampInput = timestamped ? bundleContent(signatureOver(timestamped, timestamped, key.hash)) : signature;
  const materials = await Promise.all(
    witnesses.map(({ role, testify }) => testify(role === "log" ? signature : timestampInput, pem, { hash: key.hash })),
  );
  const timestamps = materials.flatMap(({ rfc3161Timestamps = [] }) => rfc3161Timestamps);
  return {
    ...evidence,
    timestamps: [...evidence.timestamps, ...timestamps.map(({ signedTimestamp }) => signedTimestamp)],
    log: [...evidence.log, ...materials.flatMap(({ tlogEntries = [] }) => tlogEntries)],
  };
}

function signatureOver(message: Uint8Array, signature: Uint8Array, algorithm: HashName): BlobContent {
  return { kind: "blob", signature, stated: { algorithm, digest: messageOf(message).digest(algorithm) } };
}
