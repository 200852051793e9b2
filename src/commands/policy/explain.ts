import { registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <policy> <image>",
  summary: "Show what a trust policy decides about an image",
  about:
    "Prints which rule of a trust policy decides about an image and what it demands. Then verifies the image's signatures and attestations, and prints for each demand which signers meet it, which signatures do not count and why, and what is missing. Exits 0 for any decision, and changes nothing.",
  examples: [
    "# Explain the decision about an image",
    "tsign policy explain tsign.policy.yaml registry.example/app:v1",
    "# Print only which rule applies to a name, without contacting the registry",
    "tsign policy explain --name-only tsign.policy.yaml registry.example/app:v1",
  ],
  result: shape.object(
    { image: shape.text() },
    {
      rule: shape.object({ name: shape.text(), place: shape.text(), demands: shape.list(shape.text()) }),
      decision: shape.document("the decision: the rule, the reasons, and what counts for each demand"),
    },
  ),
  args: { min: 2, max: 2 },
  flags: {
    ...registryFlags,
    nameOnly: flag.bool("print only the rule for the image's name; contact no registry"),
  },
});
