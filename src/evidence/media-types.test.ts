import assert from "node:assert/strict";
import { test } from "node:test";
import * as names from "./media-types.ts";

test("media types and annotations: the values in cosign's specifications and the bundle format", () => {
  assert.deepEqual(
    { ...names },
    {
      BUNDLE_MEDIA_TYPE: "application/vnd.dev.sigstore.bundle.v0.3+json",
      BUNDLE_MEDIA_TYPE_PREFIX: "application/vnd.dev.sigstore.bundle",
      SIMPLE_SIGNING_MEDIA_TYPE: "application/vnd.dev.cosign.simplesigning.v1+json",
      DSSE_MEDIA_TYPE: "application/vnd.dsse.envelope.v1+json",
      SIGNATURE_ARTIFACT_TYPE: "application/vnd.dev.cosign.artifact.sig.v1+json",
      SBOM_ARTIFACT_TYPE: "application/vnd.dev.cosign.artifact.sbom.v1+json",
      IN_TOTO_PAYLOAD_TYPE: "application/vnd.in-toto+json",
      SIGN_PREDICATE_TYPE: "https://sigstore.dev/cosign/sign/v1",
      BUNDLE_ANNOTATION: {
        content: "dev.sigstore.bundle.content",
        predicateType: "dev.sigstore.bundle.predicateType",
      },
      ANNOTATION: {
        signature: "dev.cosignproject.cosign/signature",
        certificate: "dev.sigstore.cosign/certificate",
        chain: "dev.sigstore.cosign/chain",
        logEntry: "dev.sigstore.cosign/bundle",
        timestamp: "dev.sigstore.cosign/rfc3161timestamp",
        predicateType: "predicateType",
      },
      MAX_PROOFS: 32,
    },
  );
});
