import { HASH_ALGORITHMS, type MessageShape } from "../format/proto-json.ts";

/** PublicKeyDetails of sigstore_common.proto, by number. */
const KEY_DETAILS = [
  "PUBLIC_KEY_DETAILS_UNSPECIFIED",
  "PKCS1_RSA_PKCS1V5",
  "PKCS1_RSA_PSS",
  "PKIX_RSA_PKCS1V5",
  "PKIX_RSA_PSS",
  "PKIX_ECDSA_P256_SHA_256",
  "PKIX_ECDSA_P256_HMAC_SHA_256",
  "PKIX_ED25519",
  "PKIX_ED25519_PH",
  "PKIX_RSA_PKCS1V15_2048_SHA256",
  "PKIX_RSA_PKCS1V15_3072_SHA256",
  "PKIX_RSA_PKCS1V15_4096_SHA256",
  "PKIX_ECDSA_P384_SHA_384",
  "PKIX_ECDSA_P521_SHA_512",
  "LMS_SHA256",
  "LMOTS_SHA256",
  "PKIX_RSA_PSS_2048_SHA256",
  "PKIX_RSA_PSS_3072_SHA256",
  "PKIX_RSA_PSS_4096_SHA256",
  "PKIX_ECDSA_P384_SHA_256",
  "PKIX_ECDSA_P521_SHA_256",
  "ML_DSA_65",
  "ML_DSA_87",
  "ML_DSA_44",
] as const;

const PERIOD: MessageShape = { fields: { start: "time", end: "time" } };
const LOG_ID: MessageShape = { fields: { keyId: "bytes" } };

/** TransparencyLogInstance. */
const LOG: MessageShape = {
  fields: {
    baseUrl: "text",
    hashAlgorithm: { names: HASH_ALGORITHMS },
    publicKey: { fields: { rawBytes: "bytes", keyDetails: { names: KEY_DETAILS }, validFor: PERIOD } },
    logId: LOG_ID,
    checkpointKeyId: LOG_ID,
    operator: "text",
  },
};

/** CertificateAuthority. */
const AUTHORITY: MessageShape = {
  fields: {
    subject: { fields: { organization: "text", commonName: "text" } },
    uri: "text",
    certChain: { fields: { certificates: { list: { fields: { rawBytes: "bytes" } } } } },
    validFor: PERIOD,
    operator: "text",
  },
};

/** TrustedRoot of sigstore_trustroot.proto. */
export const TRUSTED_ROOT: MessageShape = {
  fields: {
    mediaType: "text",
    tlogs: { list: LOG },
    certificateAuthorities: { list: AUTHORITY },
    ctlogs: { list: LOG },
    timestampAuthorities: { list: AUTHORITY },
  },
};
