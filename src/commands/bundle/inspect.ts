import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "<bundle>",
  summary: "Show the contents of a Sigstore bundle",
  about:
    "Shows the certificate, transparency log entries, timestamps and content of a bundle, and lists its defects. Nothing is verified, and nothing is fetched.",
  examples: [
    "# Inspect a bundle file",
    "tsign bundle inspect app.sigstore.json",
    "# Inspect the bundle of an image",
    "tsign download signature registry.example/app:v1 | tsign bundle inspect -",
  ],
  result: shape.object({
    outline: shape.list(shape.text("a line; two spaces for each level"), "what the bundle contains, and warnings"),
    bundle: shape.document("the bundle as it is"),
  }),
  args: { min: 1, max: 1 },
  flags: {},
  bindEnvironment: false,
});
