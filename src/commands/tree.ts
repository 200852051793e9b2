import { imageSourceFlags } from "../cli/flags/image-sources.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Show the artifacts attached to an image",
  about:
    "Shows the signatures, attestations, SBOMs and other artifacts stored with each image, as OCI referrers or under legacy tags.",
  examples: [
    "# Show the artifacts of an image",
    "tsign tree registry.example/app:v1",
    "# Show who claims to have signed it, without verification",
    "tsign tree --signers registry.example/app:v1",
  ],
  result: shape.object({
    images: shape.list(
      shape.object({
        image: shape.text("registry/repository@digest"),
        attached: shape.list(
          shape.object({
            group: shape.text("Signatures, SBOMs, Other artifacts, or Attestations with their predicate type"),
            where: shape.text("registry/repository:tag, or registry/repository@digest"),
            layers: shape.list(
              shape.object(
                { digest: shape.digest() },
                { signer: shape.text("whom the signature claims to be from; nothing is verified") },
              ),
            ),
          }),
        ),
      }),
    ),
  }),
  args: { min: 1, max: Number.POSITIVE_INFINITY, unless: "from" },
  flags: {
    ...registryFlags,
    ...imageSourceFlags,
    attachmentTagPrefix,
    experimentalOci11: flag.bool("show OCI referrers, too", {
      default: true,
      deprecated: "no longer needed: OCI referrers are always looked up",
    }),
    registryReferrersMode: flag.choice(
      ["", "legacy", "oci-1-1"],
      "kinds of storage to show: legacy omits OCI referrers",
      {
        default: "",
        typeName: "registryReferrersMode",
      },
    ),
    signers: flag.bool("show the claimed signer of each signature and attestation, without verification"),
  },
});
