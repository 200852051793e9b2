import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print where the signatures of an image are stored",
  about:
    "Prints the tag under which the legacy format stores the signatures, attestations or SBOM of an image, whether or not the tag exists.",
  examples: [
    "# Print the tag of an image's signatures",
    "tsign triangulate registry.example/app:v1",
    "# Print the tag of an image's attestations",
    "tsign triangulate --type attestation registry.example/app:v1",
  ],
  result: shape.object({ place: shape.text("registry/repository:tag, or registry/repository@digest") }),
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    type: flag.string("type of artifact: signature, attestation, sbom, or digest for the image itself", {
      default: "signature",
      choices: ["signature", "attestation", "sbom", "digest"],
      closed: true,
    }),
  },
  deprecated: "use `tsign tree` instead",
});
