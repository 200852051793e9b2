import { attestingFlags } from "../cli/flags/attesting.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export const flags = {
  ...keyFlags,
  ...attestingFlags,
  ...registryFlags,
  attachmentTagPrefix,
  noUpload: flag.bool("do not store the attestation in the registry"),
  recordCreationTimestamp: flag.bool("record when the attestation image was made", {
    deprecated: "the bundle form always records it",
  }),
  recursive: flag.bool("also attest every image of an index", { short: "r" }),
  replace: flag.bool("take the place of the image's attestations of the same type", {
    deprecated: "verifiers accept any of several attestations",
  }),
};

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Attest something about container images",
  about:
    "Signs an in-toto statement that says something about each image, a software bill of materials or how it was built, and " +
    "stores it beside the image. The predicate is stored as it was written.",
  examples: [
    "tsign attest --type spdxjson --predicate sbom.spdx.json registry.example/app@sha256:…",
    "tsign attest --key cosign.key --type slsaprovenance1 --predicate provenance.json registry.example/app@sha256:…",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [
    ["useSigningConfig", "signingConfig"],
    ["predicate", "statement"],
  ],
});
