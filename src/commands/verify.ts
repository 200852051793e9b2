import { imageSourceFlags, pinFlags } from "../cli/flags/image-sources.ts";
import {
  EXCLUSIVE_FLAGS,
  IMAGE_EXIT_CODES,
  imageVerificationFlags,
  recursiveFlag,
} from "../cli/flags/image-verification.ts";
import { STRICT_BY_CODE } from "../cli/flags/reporting.ts";
import { trustPolicyFlags } from "../cli/flags/trust-policy.ts";
import { defineCommand } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Verify signatures of container images",
  about:
    "Verifies the signatures of each image, in Sigstore bundles and in the legacy format. An image passes if at least one signature was made with --key, or by the certificate identity, and meets the other requirements. With --from, images are read from files. Prints verified signatures as JSON on stdout and reports failures on stderr. Several images are verified at a time and printed in their order; the exit code is that of the gravest failure: an image is refused, unsigned, not found, or cannot be checked. With --exit-codes=strict these are 12, 10, 11 and 13. When --timeout expires, the images that are left are named.",
  examples: [
    "# Verify a keyless signature",
    "tsign verify --certificate-identity alice@example.com --certificate-oidc-issuer https://issuer.example registry.example/app:v1",
    "# Verify a signature made with a key",
    "tsign verify --key cosign.pub registry.example/app:v1",
    "# Verify a signature that is not in a transparency log",
    "tsign verify --key cosign.pub --insecure-ignore-tlog registry.example/app@sha256:…",
    "# Require an annotation on several images",
    "tsign verify --key cosign.pub -a env=prod registry.example/app:v1 registry.example/web:v1",
    "# Verify several images, and write a report for people and one for a pipeline",
    "tsign verify --key cosign.pub --report report.html --report junit.xml registry.example/app:v1 registry.example/web:v1",
    "# Verify the images of a manifest, and write it with digests in place of tags",
    "tsign verify --key cosign.pub --from deployment.yaml --pin pinned.yaml",
    "# Verify a multi-platform image and the image of every platform",
    "tsign verify --key cosign.pub --recursive registry.example/app:v1",
    "# Show who signed an image",
    "tsign tree --signers registry.example/app:v1",
  ],
  result: shape.reference<void>("images.json#/$defs/result"),
  args: { min: 1, max: Number.POSITIVE_INFINITY, unless: "from" },
  flags: { ...imageVerificationFlags, ...imageSourceFlags, ...pinFlags, ...trustPolicyFlags, recursive: recursiveFlag },
  exclusive: [
    ...EXCLUSIVE_FLAGS,
    ["from", "localImage"],
    ["pin", "attachment"],
    ["recursive", "signature"],
    ["recursive", "attachment"],
  ],
  exitCodes: IMAGE_EXIT_CODES,
  strictExitCodes: STRICT_BY_CODE,
});
