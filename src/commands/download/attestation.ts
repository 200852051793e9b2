import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";
import { PREDICATE_ALIASES } from "../../sign/predicates.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the attestations of an image as JSON lines",
  about:
    "Prints the Sigstore bundles with attestations of an image, then its legacy DSSE envelopes, one per line. --predicate-type selects one predicate type. Nothing is verified.",
  examples: [
    "# Print the base64 payloads of all SPDX attestations",
    "tsign download attestation --predicate-type spdxjson registry.example/app:v1 | jq -r .dsseEnvelope.payload",
  ],
  result: shape.object({
    attestations: shape.list(shape.document("a bundle, or an envelope of a legacy attestation")),
  }),
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    platform: flag.string("platform of the image, for an index: os/architecture[/variant]"),
    predicateType: flag.string("predicate type of the attestations to print: an alias or a URI", {
      choices: PREDICATE_ALIASES,
    }),
  },
});
