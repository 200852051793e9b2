import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { PREDICATE_ALIASES } from "../../sign/predicates.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the attestations of an image as JSON lines",
  about:
    "Prints every bundle stored with an image, then every legacy envelope, a line each, or those of one predicate type. " +
    "Nothing is verified.",
  examples: [
    "tsign download attestation --predicate-type spdxjson registry.example/app:v1 | jq -r .dsseEnvelope.payload",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    platform: flag.string("the image of an index for this platform: linux/amd64"),
    predicateType: flag.string("print attestations of this type only: an alias or a URI", {
      choices: PREDICATE_ALIASES,
    }),
  },
});
