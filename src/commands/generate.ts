import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the payload to sign for a legacy signature",
  about:
    "Prints the payload that `tsign sign --new-bundle-format=false` signs, so that another tool can sign it. Use `tsign attach signature` to attach that signature. No line end follows the JSON.",
  examples: [
    "# Save the payload",
    "tsign generate registry.example/app:v1 > payload.json",
    "# Sign the payload with another tool",
    "tsign generate -a env=prod registry.example/app:v1 | gpg --detach-sign --output app.sig",
  ],
  result: shape.object({ payload: shape.document("simple signing payload") }),
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    annotations: flag.strings("annotations to add to the payload, as key=value pairs", { short: "a" }),
    attachmentTagPrefix,
  },
  deprecated: "use `tsign sign` instead",
});
