import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the software bill of materials attached to an image",
  about: "Prints what `attach sbom` stored, as it is. Nobody signed it: an attestation says who did.",
  examples: ["tsign download sbom registry.example/app:v1 > sbom.spdx"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    platform: flag.string("the image of an index for this platform: linux/amd64"),
  },
});
