import { attestingFlags } from "../cli/flags/attesting.ts";
import { imageSourceFlags } from "../cli/flags/image-sources.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export const flags = {
  ...keyFlags,
  ...attestingFlags,
  ...registryFlags,
  ...imageSourceFlags,
  attachmentTagPrefix,
  noUpload: flag.bool("skip storing the attestation in the registry"),
  recordCreationTimestamp: flag.bool("set the creation time of the attestation image", {
    deprecated: "always recorded in bundles",
  }),
  recursive: flag.bool("attest every image of an index, too", { short: "r" }),
  replace: flag.bool("replace the image's attestations of the same predicate type", {
    deprecated: "no longer needed: verifiers accept any of several attestations",
  }),
  skipAttested: flag.bool(
    "skip images that have this attestation already: by the same key or identity, with the same statement, and verified",
  ),
};

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Attest container images",
  about:
    "Signs an in-toto statement about each image, such as a software bill of materials or build provenance, and stores it in the image's repository. The predicate is stored unchanged.",
  examples: [
    "# Attest a software bill of materials keylessly (opens a browser to log in)",
    "tsign attest --type spdxjson --predicate sbom.spdx.json registry.example/app@sha256:…",
    "# Attest build provenance with a key",
    "tsign attest --key cosign.key --type slsaprovenance1 --predicate provenance.json registry.example/app@sha256:…",
    "# Attest the images of a list, and complete a run that was broken off",
    "tsign attest --key cosign.key --type spdxjson --predicate sbom.spdx.json --from images.txt --skip-attested",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY, unless: "from" },
  flags,
  exclusive: [
    ["useSigningConfig", "signingConfig"],
    ["predicate", "statement"],
  ],
});
