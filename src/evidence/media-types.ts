/** Names from cosign's storage specification and the Sigstore bundle format. */
export const BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
export const BUNDLE_MEDIA_TYPE_PREFIX = "application/vnd.dev.sigstore.bundle";
export const SIMPLE_SIGNING_MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
/** A layer of an `.att` image: a DSSE envelope. */
export const DSSE_MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json";
export const SIGNATURE_ARTIFACT_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json";
export const SBOM_ARTIFACT_TYPE = "application/vnd.dev.cosign.artifact.sbom.v1+json";
export const IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json";
/** Predicate type of the statement that `sign` writes into a bundle. */
export const SIGN_PREDICATE_TYPE = "https://sigstore.dev/cosign/sign/v1";

/** Annotations of a bundle's manifest. */
export const BUNDLE_ANNOTATION = {
  content: "dev.sigstore.bundle.content",
  predicateType: "dev.sigstore.bundle.predicateType",
} as const;

/** Annotations of a legacy signature's layer. */
export const ANNOTATION = {
  signature: "dev.cosignproject.cosign/signature",
  certificate: "dev.sigstore.cosign/certificate",
  chain: "dev.sigstore.cosign/chain",
  logEntry: "dev.sigstore.cosign/bundle",
  timestamp: "dev.sigstore.cosign/rfc3161timestamp",
  /** Of an `.att` layer. */
  predicateType: "predicateType",
} as const;

/** Most log entries and timestamps in one bundle; real ones have one or two. */
export const MAX_PROOFS = 32;
