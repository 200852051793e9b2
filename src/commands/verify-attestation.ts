import { anySignerFlags } from "../cli/flags/any-signer.ts";
import { imageSourceFlags, pinFlags } from "../cli/flags/image-sources.ts";
import { MAX_WORKERS, recursiveFlag } from "../cli/flags/image-verification.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { reportingFlags, STRICT_BY_CODE } from "../cli/flags/reporting.ts";
import { trustPolicyFlags } from "../cli/flags/trust-policy.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";
import { PREDICATE_ALIASES } from "../sign/predicates.ts";

const { signature: _signature, ...shared } = verificationFlags;

const flags = {
  ...keyFlags,
  ...shared,
  ...anySignerFlags,
  ...registryFlags,
  ...reportingFlags,
  ...imageSourceFlags,
  ...pinFlags,
  ...trustPolicyFlags,
  attachmentTagPrefix,
  checkClaims: flag.bool("check that the attestation's subject is the image", {
    default: true,
    weakens: { when: false, effect: "the attestation's subject is not compared with the image" },
  }),
  maxWorkers: MAX_WORKERS,
  localImage: flag.bool("verify images saved to disk: the arguments are folders written by `tsign save`"),
  output: flag.string("output format: json or text (no effect; envelopes are printed as JSON lines)", {
    short: "o",
    default: "json",
    choices: ["json", "text"],
    closed: true,
  }),
  policy: flag.strings("CUE or Rego policy file that every attestation of the type must satisfy"),
  recursive: recursiveFlag,
  type: flag.string("predicate type of the attestation: an alias or a URI", {
    default: "custom",
    choices: PREDICATE_ALIASES,
  }),
};

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Verify attestations of container images",
  about:
    "Verifies the attestations of each image, in Sigstore bundles and in the legacy format. An image passes if at least one attestation of the predicate type was made with --key, or by the certificate identity. With --policy, every such attestation must satisfy all policies. Prints verified envelopes as JSON lines on stdout and reports failures on stderr.",
  examples: [
    "# Verify build provenance",
    "tsign verify-attestation --type slsaprovenance1 --certificate-identity ci@example.com --certificate-oidc-issuer https://issuer.example registry.example/app@sha256:…",
    "# Verify and extract a software bill of materials",
    "tsign verify-attestation --key cosign.pub --type spdxjson registry.example/app:v1 | jq -r .payload | base64 -d",
    "# Check build provenance with a policy",
    "tsign verify-attestation --key cosign.pub --type slsaprovenance1 --policy builder.cue registry.example/app:v1",
  ],
  result: shape.reference<void>("images.json#/$defs/result"),
  args: { min: 1, max: Number.POSITIVE_INFINITY, unless: "from" },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
    ["from", "localImage"],
  ],
  strictExitCodes: STRICT_BY_CODE,
});
