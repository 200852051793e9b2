import { registryFlags } from "../../cli/flags/registry.ts";
import { reportingFlags } from "../../cli/flags/reporting.ts";
import { workloadFlag } from "../../cli/flags/workloads.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

const { report } = reportingFlags;

export default defineCommand({
  usage: "[flags] <manifest…>",
  summary: "Show what admission decides about manifests",
  about:
    "Decides on the images of Kubernetes manifests as `tsign admission serve` does, without a cluster: with the same policy, the same words, and the same warnings. Fails if an image is refused or could not be checked. Other files that name images are read with `tsign verify --from`.",
  examples: [
    "# Test a manifest in a pipeline, before it reaches the cluster",
    "tsign admission test --trust-policy tsign.policy.yaml deployment.yaml",
    "# Write a report for people",
    "tsign admission test --trust-policy tsign.policy.yaml --report report.html deployment.yaml",
  ],
  result: shape.object({
    images: shape.list(
      shape.object(
        {
          image: shape.text(),
          places: shape.list(shape.text("file:line")),
          allowed: shape.flag(),
          reason: shape.text(),
        },
        { digest: shape.text(), rule: shape.text(), message: shape.text() },
      ),
    ),
  }),
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: {
    ...registryFlags,
    trustPolicy: flag.string("trust policy file, which states who must have signed"),
    workload: workloadFlag,
    report,
  },
});
