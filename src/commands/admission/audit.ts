import { registryFlags } from "../../cli/flags/registry.ts";
import { reportingFlags, STRICT_BY_CODE } from "../../cli/flags/reporting.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

const { exitCodes, report } = reportingFlags;

export default defineCommand({
  usage: "[flags]",
  summary: "Verify the images that run in a cluster now",
  about:
    "Decides on the images of the Pods in a cluster by a trust policy, as `tsign admission serve` does when they are created: those of containers, init and ephemeral containers, and image volumes. The digest that the kubelet reports counts, not what the tag is now; without one, an image whose container has started is not checked. Pods that have ended are left out. Nothing in the cluster is changed: the user of the kubeconfig must be allowed to list pods. Fails if an image is refused or could not be checked, if a namespace could not be listed, and if there are no Pods.",
  examples: [
    "# Verify what runs in two namespaces",
    "tsign admission audit --trust-policy tsign.policy.yaml --namespace shop --namespace pay",
    "# Write a report on the whole cluster",
    "tsign admission audit --trust-policy tsign.policy.yaml --report report.html",
  ],
  result: shape.object({
    images: shape.list(
      shape.object(
        {
          image: shape.text("as the Pods name it"),
          places: shape.list(shape.text("namespace/pod/container, or the image volume in place of the container")),
          allowed: shape.flag(),
          reason: shape.text(),
        },
        { digest: shape.digest("the digest that was decided on"), rule: shape.text(), message: shape.text() },
      ),
    ),
    pods: shape.count("Pods that were looked at"),
    ended: shape.count("Pods that have ended, which were left out"),
    unlisted: shape.list(
      shape.object({ namespace: shape.text("empty for all namespaces"), reason: shape.text() }),
      "namespaces whose Pods could not be listed",
    ),
  }),
  args: { min: 0, max: 0 },
  strictExitCodes: STRICT_BY_CODE,
  flags: {
    ...registryFlags,
    trustPolicy: flag.string("trust policy file, which states who must have signed"),
    kubeconfig: flag.string("kubeconfig file; default $KUBECONFIG, ~/.kube/config, or the Pod's service account"),
    context: flag.string("context of the kubeconfig; default the current one"),
    namespace: flag.texts("namespace to look at, repeatable; default all namespaces", { short: "n" }),
    selector: flag.string("label selector of the Pods to look at, such as app=shop", { short: "l" }),
    exitCodes,
    report,
  },
});
