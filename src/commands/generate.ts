import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the payload that a legacy signature of an image is over",
  about:
    "Prints what `sign --new-bundle-format=false` signs, so that another tool can sign it; `attach signature` stores the " +
    "outcome. Nothing is signed, and nothing follows the JSON.",
  examples: [
    "tsign generate registry.example/app:v1 > payload.json",
    "tsign generate -a env=prod registry.example/app:v1 | gpg --detach-sign --output app.sig",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    annotations: flag.strings("key=value pairs to sign", { short: "a" }),
    attachmentTagPrefix,
  },
  deprecated: "in-toto tooling makes statements for bundles",
});
