import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Load a saved image and what is attached to it into a registry",
  about:
    "Pushes what `save` of tsign or cosign wrote: the image, all its platforms, and their signatures, attestations, SBOMs " +
    "and other referrers. Signatures the image has there already are kept. The tag is set last.",
  examples: ["tsign load --dir app mirror.example/app:v1"],
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix, dir: flag.string("folder that `save` wrote") },
});
