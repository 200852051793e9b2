import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the signatures of an image as JSON lines",
  about:
    "Prints every bundle stored with an image, or, when there is none, every legacy signature with its payload. Nothing is " +
    "verified.",
  examples: ["tsign download signature registry.example/app:v1 > bundle.sigstore.json"],
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix },
});
