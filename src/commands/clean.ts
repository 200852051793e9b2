import { imageSourceFlags } from "../cli/flags/image-sources.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Remove signatures and attestations from an image",
  about:
    "Deletes the signatures, attestations and SBOMs that cosign or tsign attached to each image. The images themselves are not deleted. Asks for confirmation for each image unless --force is set.",
  examples: [
    "# Remove all signatures, attestations and SBOMs",
    "tsign clean registry.example/app:v1",
    "# Remove legacy signatures without confirmation",
    "tsign clean --type signature --force registry.example/app:v1",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY, unless: "from" },
  flags: {
    ...registryFlags,
    ...imageSourceFlags,
    attachmentTagPrefix,
    force: flag.bool("skip the confirmation prompt", { short: "f" }),
    type: flag.choice(["signature", "attestation", "referrer", "sbom", "all"], "type of artifacts to remove", {
      default: "all",
      typeName: "CLEAN_TYPE",
    }),
  },
});
