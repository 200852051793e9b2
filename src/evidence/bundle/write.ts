import { type Bundle, bundleToJSON, type SerializedBundle } from "@sigstore/bundle";
import { TsignError } from "../../errors.ts";
import type { HashName } from "../../format/digest.ts";
import { BUNDLE_MEDIA_TYPE } from "../media-types.ts";
import type { Evidence, EvidenceKey } from "../model.ts";

/** HashAlgorithm of sigstore_common.proto. */
const NUMBER_BY_HASH: Readonly<Record<HashName, number>> = { sha256: 1, sha384: 2, sha512: 3 };

/**
 * Evidence as a v0.3 bundle: compact JSON, fields in the order of their protobuf numbers. A chain is not written: a v0.3
 * bundle holds the leaf certificate only.
 *
 * @throws TsignError "internal" for content that no bundle can hold (simple signing)
 */
export function writeBundle(evidence: Evidence): string {
  return bundleText(bundleToJSON(bundleOf(evidence)));
}

/**
 * Evidence as the message of a v0.3 bundle (sigstore_bundle.proto).
 *
 * @throws TsignError "internal" for content that no bundle can hold
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
 * A bundle's JSON form as text. Protobuf's JSON leaves out zeros and empty lists, and sigstore-python wants an entry's index and
 * path even of a log's first entry: both are always written, which every reader takes.
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
 * A signature as a bundle's content.
 *
 * @throws TsignError "internal" for content that no bundle can hold: simple signing, a signature without its digest
 */
export function bundleContent(content: Evidence["content"]): Bundle["content"] {
  const signature = Buffer.from(content.signature);
  if (content.kind === "dsse") {
    const { payloadType, keyid = "" } = content;
    const { buffer, byteOffset, byteLength } = content.payload;
    const payload = Buffer.from(buffer, byteOffset, byteLength); // no copy: it may be large
    return { $case: "dsseEnvelope", dsseEnvelope: { payload, payloadType, signatures: [{ sig: signature, keyid }] } };
  }
  if (content.kind === "blob" && content.stated) {
    const messageDigest = {
      algorithm: NUMBER_BY_HASH[content.stated.algorithm],
      digest: Buffer.from(content.stated.digest),
    };
    return { $case: "messageSignature", messageSignature: { messageDigest, signature } };
  }
  throw new TsignError("internal", `a bundle cannot hold ${content.kind} content`);
}
