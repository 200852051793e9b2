import { EXCLUSIVE_FLAGS, IMAGE_EXIT_CODES, imageVerificationFlags } from "../../cli/flags/image-verification.ts";
import { STRICT_BY_CODE } from "../../cli/flags/reporting.ts";
import { trustPolicyFlags } from "../../cli/flags/trust-policy.ts";
import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <manifest>",
  summary: "Verify the images of a Kubernetes manifest",
  about:
    "Verifies every image in a stream of YAML or JSON manifests, like `tsign verify`: in containers, init containers, ephemeral containers and image volumes of pods, pod templates, lists, and custom resources that contain pod templates. YAML that parsers read differently is rejected with its line number.",
  examples: [
    "# Verify every image of a manifest",
    "tsign manifest verify --key cosign.pub deployment.yaml",
    "# Verify the output of kustomize",
    "kubectl kustomize . | tsign manifest verify --key cosign.pub -",
  ],
  result: shape.reference<void>("images.json#/$defs/result"),
  args: { min: 1, max: 1 },
  flags: { ...imageVerificationFlags, ...trustPolicyFlags },
  exclusive: EXCLUSIVE_FLAGS,
  exitCodes: IMAGE_EXIT_CODES,
  strictExitCodes: STRICT_BY_CODE,
});
