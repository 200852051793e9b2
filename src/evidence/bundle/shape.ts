import { TsignError } from "../../errors.ts";
import { HASH_ALGORITHMS, type MessageShape, readProtoJson } from "../../format/proto-json.ts";

const RAW_BYTES = { fields: { rawBytes: "bytes" } } as const;

/** TransparencyLogEntry of sigstore_rekor.proto. */
const LOG_ENTRY: MessageShape = {
  fields: {
    logIndex: "count",
    logId: { fields: { keyId: "bytes" } },
    kindVersion: { fields: { kind: "text", version: "text" } },
    integratedTime: "count",
    inclusionPromise: { fields: { signedEntryTimestamp: "bytes" } },
    inclusionProof: {
      fields: {
        logIndex: "count",
        rootHash: "bytes",
        treeSize: "count",
        hashes: { list: "bytes" },
        checkpoint: { fields: { envelope: "text" } },
      },
    },
    canonicalizedBody: "bytes",
  },
};

/** Bundle of sigstore_bundle.proto. */
const BUNDLE: MessageShape = {
  fields: {
    mediaType: "text",
    verificationMaterial: {
      fields: {
        publicKey: { fields: { hint: "text" } },
        x509CertificateChain: { fields: { certificates: { list: RAW_BYTES } } },
        certificate: RAW_BYTES,
        tlogEntries: { list: LOG_ENTRY },
        timestampVerificationData: {
          fields: { rfc3161Timestamps: { list: { fields: { signedTimestamp: "bytes" } } } },
        },
      },
      oneOf: [["publicKey", "x509CertificateChain", "certificate"]],
    },
    messageSignature: {
      fields: {
        messageDigest: { fields: { algorithm: { names: HASH_ALGORITHMS }, digest: "bytes" } },
        signature: "bytes",
      },
    },
    // From in-toto's envelope.proto, whose field names are camelCase.
    dsseEnvelope: {
      protoNames: "camelCase",
      fields: {
        payload: "bytes",
        payloadType: "text",
        signatures: { list: { fields: { sig: "bytes", keyid: "text" } } },
      },
    },
  },
  oneOf: [["messageSignature", "dsseEnvelope"]],
};

/**
 * Converts a bundle's JSON to the spelling that the generated parser reads. That parser ignores unknown fields, converts text to
 * numbers and skips characters that are not base64; such input is refused here.
 *
 * @throws TsignError "bad-bundle"
 */
export function canonicalBundle(json: unknown): Record<string, unknown> {
  try {
    return readProtoJson(json, BUNDLE);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "";
    throw new TsignError("bad-bundle", `invalid bundle: ${reason}`, { cause });
  }
}
