import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the signatures of an image as JSON lines",
  about:
    "Prints the Sigstore bundles of an image, one per line. Without bundles, prints its legacy signatures with their payloads. Nothing is verified.",
  examples: [
    "# Save the signatures of an image to a file",
    "tsign download signature registry.example/app:v1 > signatures.jsonl",
  ],
  result: shape.object({
    signatures: shape.list(shape.document("a bundle, or a legacy signature with cosign's members")),
  }),
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix },
});
