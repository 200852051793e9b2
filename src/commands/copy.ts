import { imageSourceFlags } from "../cli/flags/image-sources.ts";
import { promotionFlags } from "../cli/flags/promotion.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { trustPolicyFlags } from "../cli/flags/trust-policy.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <source image> <destination image>",
  summary: "Copy images and their attached artifacts",
  about:
    "Copies an image with all its platforms, including their signatures, attestations, SBOMs and other referrers, to another repository. Digests do not change. The destination's tag is written last.\nWith --to, every argument and every image of the --from files is copied below that registry or repository, with its own path and tag.\nWith --trust-policy, each image is verified first, as its source is named, and refused if it does not satisfy the policy; what is copied is the digest that verified. --attest-decision signs a SLSA verification summary about it, with a key or keylessly, and stores it beside the copy, unless an equal one is there.",
  examples: [
    "# Copy an image with everything attached to it",
    "tsign copy registry.example/app:v1 mirror.example/app:v1",
    "# Copy only signatures and attestations",
    "tsign copy --only=sig,att registry.example/app:v1 mirror.example/app",
    "# Copy the image of one platform",
    "tsign copy --platform linux/amd64 registry.example/app:v1 mirror.example/app:v1-amd64",
    "# Copy the images of a manifest to mirror.example/prod, with their paths and tags",
    "tsign copy --from deployment.yaml --to mirror.example/prod",
    "# Copy the image only if a trust policy accepts it",
    "tsign copy --trust-policy tsign.policy.yaml registry.example/app:v1 mirror.example/app:v1",
  ],
  args: { min: 2, max: 2, unless: ["to", "from"] },
  flags: {
    ...registryFlags,
    ...imageSourceFlags,
    ...trustPolicyFlags,
    ...promotionFlags,
    attachmentTagPrefix,
    force: flag.bool("overwrite existing tags in the destination", { short: "f" }),
    only: flag.strings("types of attached artifacts to copy, without the image: sig, att, sbom", {
      choices: ["sig", "att", "sbom"],
      closed: true,
    }),
    platform: flag.string("platform of the image to copy: os/architecture[/variant]"),
    sigOnly: flag.bool("alias of --only=sig"),
    to: flag.string("registry or repository to copy all images below, with their paths and tags", { unbound: true }),
  },
  deprecated: "use `tsign save` and `tsign load`, or `oras copy -r`, instead",
});
