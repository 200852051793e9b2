import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Save an image and its attached artifacts to a folder",
  about:
    "Writes an image with all its platforms, signatures, attestations, SBOMs and other referrers to a folder in the OCI image layout. `tsign load` and `cosign load` push it to a registry; `tsign verify --local-image` verifies it offline.",
  examples: [
    "# Save an image to the folder app",
    "tsign save --dir app registry.example/app:v1",
    "# Verify the saved image",
    "tsign verify --key cosign.pub --insecure-ignore-tlog --local-image app",
  ],
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix, dir: flag.string("folder to write the image to") },
});
