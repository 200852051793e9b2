import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Remove signatures and attestations from an image",
  about:
    "Deletes what cosign and tsign have attached to an image; the image itself stays. Asks first, unless --force is given.",
  examples: ["tsign clean registry.example/app:v1", "tsign clean --type signature --force registry.example/app:v1"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    force: flag.bool("do not ask", { short: "f" }),
    type: flag.choice(["signature", "attestation", "referrer", "sbom", "all"], "what to remove", {
      default: "all",
      typeName: "CLEAN_TYPE",
    }),
  },
});
