import { registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <policy> <new policy> <image…>",
  summary: "Show whose verdict changes between two trust policies",
  about:
    "Decides on each image by two trust policies and prints one line for each: what both decide, by which rule, and why an image is no longer accepted. The signatures are fetched once. Exits 0 for any decision; with --exit-code fails if a verdict changes.",
  examples: [
    "# Show which images a tightened policy refuses",
    "tsign policy diff old.yaml new.yaml registry.example/app:v1 registry.example/api:v1",
    "# Fail if a verdict changes",
    "tsign policy diff --exit-code old.yaml new.yaml registry.example/app:v1",
  ],
  result: shape.object({
    changed: shape.count("number of images with another verdict"),
    images: shape.list(
      shape.object({
        image: shape.text(),
        before: shape.document("the decision of the first policy"),
        after: shape.document("the decision of the second policy"),
      }),
    ),
  }),
  args: { min: 3, max: Number.POSITIVE_INFINITY },
  flags: {
    ...registryFlags,
    exitCode: flag.bool("fail if a verdict changes"),
  },
});
