import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the software bill of materials attached to an image",
  about:
    "Prints the document that `tsign attach sbom` stored. The document is not signed; to use a signed one, see `tsign attest`.",
  examples: [
    "# Save the software bill of materials to a file",
    "tsign download sbom registry.example/app:v1 > sbom.spdx",
  ],
  result: shape.object(
    { mediaType: shape.text(), sbom: shape.text("the document") },
    { encoding: shape.choice(["base64"], "encoding of sbom; absent for UTF-8 text") },
  ),
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    platform: flag.string("platform of the image, for an index: os/architecture[/variant]"),
  },
});
