import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export const PARTS = ["sig", "att", "sbom"];

export default defineCommand({
  usage: "[flags] <source image> <destination image>",
  summary: "Copy an image and what is attached to it",
  about:
    "Copies an image with all its platforms, and the signatures, attestations, SBOMs and other referrers of each, to another " +
    "repository. Digests stay as they are. The destination's tag is set last.",
  examples: [
    "tsign copy registry.example/app:v1 mirror.example/app:v1",
    "tsign copy --only=sig,att registry.example/app:v1 mirror.example/app",
    "tsign copy --platform linux/amd64 registry.example/app:v1 mirror.example/app:v1-amd64",
  ],
  args: { min: 2, max: 2 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    force: flag.bool("replace tags that the destination has", { short: "f" }),
    only: flag.strings("copy what is attached, and of it these only: sig, att, sbom", { choices: PARTS }),
    platform: flag.string("copy the image of one platform: os/architecture[/variant]"),
    sigOnly: flag.bool("old name of --only=sig"),
  },
  deprecated: "`save` and `load` take an image to another registry, and `oras copy -r` copies referrers",
});
