import { type Bundle, bundleToJSON, type SerializedBundle } from "@sigstore/bundle";
import { TsignError } from "../../errors.ts";
import type { HashName } from "../../format/digest.ts";
import { BUNDLE_MEDIA_TYPE } from "../media-types.ts";
import type { Evidence, EvidenceKey } from "../model.ts";

/** HashAlgorithm of sigstore_common.proto. */
const NUMBER_BY_HASH: Readonly<Record<HashName, number>> = { sha256: 1, sha384: 2, sha512: 3 };

/**
 * Writes evidence as a v0.3 bundle: compact JSON, fields in the order of their protobuf numbers. A certificate chain is left out:
 * a v0.3 bundle contains the leaf only.
 *
 * @throws TsignError "internal" for content that a bundle cannot contain (simple signing)
 */
export function writeBundle(evidence: Evidence): string {
  return bundleText(bundleToJSON(bundleOf(evidence)));
}

/**
 * Converts evidence to a v0.3 bundle message (sigstore_bundle.proto).
 *
 * @throws TsignError "internal" for content that a bundle cannot contain
 */
export function bundleOf(evidence: Evidence): Bundle {
  return {
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      content: keyMaterial(evidence.key),
      tlogEntries: [...evidence.log],
      timestampVerificationData:
        evidence.timestamps.length === 0
          ? undefined
          : { rfc3161Timestamps: evidence.timestamps.map((t) => ({ signedTimestamp: Buffer.from(t) })) },
    },
    content: bundleContent(evidence.content),
  };
}

/**
 * Formats a bundle's JSON. Protobuf's JSON leaves out zeros and empty lists, but sigstore-python requires the index and the path of
 * every entry, so both are always written.
 */
export function bundleText(json: SerializedBundle): string {
  const material: Partial<SerializedBundle["verificationMaterial"]> = json.verificationMaterial;
  const verificationMaterial = { ...material, tlogEntries: material.tlogEntries?.map(withIndex) };
  return JSON.stringify({ ...json, verificationMaterial });
}

type Entry = SerializedBundle["verificationMaterial"]["tlogEntries"][number];

function withIndex({ inclusionProof, canonicalizedBody, ...head }: Partial<Entry>) {
  return { logIndex: "0", ...head, inclusionProof: inclusionProof && withPath(inclusionProof), canonicalizedBody };
}

function withPath({ checkpoint, hashes = [], ...head }: Partial<NonNullable<Entry["inclusionProof"]>>) {
  return { logIndex: "0", ...head, hashes, checkpoint };
}

function keyMaterial(key: EvidenceKey): Bundle["verificationMaterial"]["content"] {
  if (key.kind === "certificate") {
    return { $case: "certificate", certificate: { rawBytes: Buffer.from(key.leaf) } };
  }
  return { $case: "publicKey", publicKey: { hint: key.kind === "public-key" ? key.hint : "" } };
}

/**
 * Converts a signature to a bundle's content.
 *
 * @throws TsignError "internal" for content that a bundle cannot contain: simple signing, a signature without a digest
 */
export function bundleContent(content: Evidence["content"]): Bundle["content"] {
  const signature = Buffer.from(content.signature);
  if (content.kind === "dsse") {
    const { payloadType, keyid = "" } = content;
    const { buffer, byteOffset, byteLength } = content.payload;
    const payload = Buffer.from(buffer, byteOffset, byteLength); // no copy, as it may be large
    return { $case: "dsseEnvelope", dsseEnvelope: { payload, payloadType, signatures: [{ sig: signature, keyid }] } };
  }
  if (content.kind === "blob" && content.stated) {
    const messageDigest = {
      algorithm: NUMBER_BY_HASH[content.stated.algorithm],
      digest: Buffer.from(content.stated.digest),
    };
    return { $case: "messageSignature", messageSignature: { messageDigest, signature } };
  }
  throw new TsignError("internal", `a bundle cannot contain ${content.kind} content`);
}
