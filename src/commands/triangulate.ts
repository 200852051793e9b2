import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print where an image's signatures are kept",
  about:
    "Prints the tag under which the legacy form keeps what is attached to an image, whether or not there is anything.",
  examples: [
    "tsign triangulate registry.example/app:v1",
    "tsign triangulate --type attestation registry.example/app:v1",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    type: flag.string("what to look for: signature, attestation, sbom or digest", {
      default: "signature",
      choices: ["signature", "attestation", "sbom", "digest"],
    }),
  },
  deprecated: "use `tsign tree`, which shows referrers too",
});
