import { imageSourceFlags } from "../cli/flags/image-sources.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Save images and their attached artifacts to disk",
  about:
    "Writes an image with all its platforms, signatures, attestations, SBOMs and other referrers to a folder in the OCI image layout, or to one archive, if the name in --dir ends in .tar. Both may contain several images. An archive also contains the trusted root that its signatures need, and appears only when it is complete. `tsign load` pushes the images to a registry; `tsign verify --local-image` verifies them offline.\nAnyone who can change an archive can also change the trusted root in it: send the digest that `tsign save` prints on another way, and compare.",
  examples: [
    "# Save an image to the folder app",
    "tsign save --dir app registry.example/app:v1",
    "# Verify the saved image",
    "tsign verify --key cosign.pub --insecure-ignore-tlog --local-image app",
    "# Save several images and the trusted root to one archive",
    "tsign save --dir all.tar registry.example/app:v1 registry.example/web:v1",
    "# Save the images of a manifest to one archive",
    "tsign save --dir all.tar --from deployment.yaml",
    "# Verify all images of the archive without a network",
    "tsign verify --certificate-identity alice@example.com --certificate-oidc-issuer https://issuer.example --trusted-root all.tar --local-image all.tar",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY, unless: "from" },
  flags: {
    ...registryFlags,
    ...imageSourceFlags,
    attachmentTagPrefix,
    dir: flag.string("folder or archive (NAME.tar) to write the images to"),
    includeTrustedRoot: flag.bool("include the trusted root in an archive whose signatures need one", {
      default: true,
    }),
    trustedRoot: flag.string("trusted root file to include in the archive, instead of the one from TUF"),
  },
});
