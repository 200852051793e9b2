import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Load a saved image into a registry",
  about:
    "Pushes an image that `tsign save` or `cosign save` wrote, with all its platforms, signatures, attestations, SBOMs and other referrers. Signatures that the image already has in the registry are kept. The tag is written last.",
  examples: ["# Load an image from the folder app", "tsign load --dir app mirror.example/app:v1"],
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix, dir: flag.string("folder that `tsign save` wrote") },
});
