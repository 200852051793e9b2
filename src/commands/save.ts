import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Save an image and what is attached to it to a folder",
  about:
    "Writes an OCI layout with the image, all its platforms, and their signatures, attestations, SBOMs and other referrers. " +
    "`tsign load` and `cosign load` put it into another registry; `verify --local-image` verifies it where it is.",
  examples: [
    "tsign save --dir app registry.example/app:v1",
    "tsign verify --key cosign.pub --insecure-ignore-tlog --local-image app",
  ],
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix, dir: flag.string("folder to write to") },
});
