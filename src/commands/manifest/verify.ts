import { EXCLUSIVE_FLAGS, IMAGE_EXIT_CODES, imageVerificationFlags } from "../../cli/flags/image-verification.ts";
import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <manifest>",
  summary: "Verify the images that a Kubernetes manifest names",
  about:
    "Verifies every image in a stream of manifests, YAML or JSON, as `tsign verify` does: those of containers, init and " +
    "ephemeral containers and image volumes, in pods, their templates, lists, and custom resources that hold templates. What " +
    "readers of YAML take for different things is refused, with its line.",
  examples: [
    "tsign manifest verify --key cosign.pub deployment.yaml",
    "kubectl kustomize . | tsign manifest verify --key cosign.pub -",
  ],
  args: { min: 1, max: 1 },
  flags: imageVerificationFlags,
  exclusive: EXCLUSIVE_FLAGS,
  exitCodes: IMAGE_EXIT_CODES,
});
