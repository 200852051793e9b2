import type { Bundle } from "@sigstore/bundle";
import type { Witness as SigstoreWitness, VerificationMaterial } from "@sigstore/sign";
import { bundleContent } from "../evidence/bundle/write.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import type { BlobContent, Evidence } from "../evidence/model.ts";
import { type HashName, messageOf } from "../format/digest.ts";
import type { PublicKey } from "../keys/types.ts";

/** What a witness is told besides the PEM text of the key, which does not say it. */
interface SignatureDetails {
  /** The hash that the key signs with. */
  readonly hash: HashName;
}

/**
 * Who records or dates a signature: the `Witness` of @sigstore/sign, with what the pipeline has to know of it before. Any
 * `Witness` of that library's shape fits: see `witnessOf` in sigstore-js.ts.
 */
export interface Witness extends SigstoreWitness {
  /** A transparency log, which makes the signature public, or a timestamp authority, which sees a digest alone. */
  readonly role: "log" | "timestamp-authority";
  /** How it is called before a signature becomes public there: its host. */
  readonly name: string;
  /** Major version of a log's API: what the log checks signatures by depends on it (`loggable`). */
  readonly version: number;
  /**
   * Records or dates a signature.
   *
   * @param signature a bundle's content: an envelope, or a signature with the digest it is over
   * @param publicKey PEM of the certificate, or of the key where there is none
   * @throws TsignError "auth", "network", "service" or "timeout"
   */
  readonly testify: (
    signature: Bundle["content"],
    publicKey: string,
    details?: SignatureDetails,
  ) => Promise<VerificationMaterial>;
}

/**
 * Has a signature recorded and dated by every witness, all at once, and returns it with what they gave. A failure of one
 * is a failure of all: what was asked for is there, or there is no signature.
 *
 * @param options.key the key that signed; witnesses are told of the evidence's certificate instead where it has one
 * @throws TsignError of the witness that failed
 */
export async function witnessEvidence(
  evidence: Evidence,
  { key, witnesses }: { key: PublicKey; witnesses: readonly Witness[] },
): Promise<Evidence> {
  const pem = evidence.key.kind === "certificate" ? certificatePem(evidence.key.leaf) : key.pem;
  const { content, timestamped } = evidence;
  // No bundle holds a simple-signing payload: its signature goes as one over the payload.
  const signature = bundleContent(
    content.kind === "simple-signing" ? signatureOver(content.payload, content.signature, key.hash) : content,
  );
  // Attestations of the legacy form are dated over their whole envelope.
  const dated = timestamped ? bundleContent(signatureOver(timestamped, timestamped, key.hash)) : signature;
  const given = await Promise.all(
    witnesses.map(({ role, testify }) => testify(role === "log" ? signature : dated, pem, { hash: key.hash })),
  );
  const timestamps = given.flatMap(({ rfc3161Timestamps = [] }) => rfc3161Timestamps);
  return {
    ...evidence,
    timestamps: [...evidence.timestamps, ...timestamps.map(({ signedTimestamp }) => signedTimestamp)],
    log: [...evidence.log, ...given.flatMap(({ tlogEntries = [] }) => tlogEntries)],
  };
}

function signatureOver(message: Uint8Array, signature: Uint8Array, algorithm: HashName): BlobContent {
  return { kind: "blob", signature, stated: { algorithm, digest: messageOf(message).digest(algorithm) } };
}
