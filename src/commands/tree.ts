import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Show what is attached to an image",
  about:
    "Shows everything stored beside an image: legacy signatures, attestations and SBOMs by tag, and all referrers.",
  examples: ["tsign tree registry.example/app:v1", "tsign tree --signers registry.example/app:v1"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    experimentalOci11: flag.bool("also show referrers", {
      default: true,
      deprecated: "referrers are always looked at",
    }),
    registryReferrersMode: flag.choice(["", "legacy", "oci-1-1"], "legacy leaves the referrers out", {
      default: "",
      typeName: "registryReferrersMode",
    }),
    signers: flag.bool("also show who each signature and attestation says it is by, without verifying it"),
  },
});
