import { imageSourceFlags } from "../cli/flags/image-sources.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { signingFlags } from "../cli/flags/signing.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

const REFERRERS = "attach artifacts as OCI referrers instead";

export const flags = {
  ...keyFlags,
  ...signingFlags,
  ...registryFlags,
  ...imageSourceFlags,
  annotations: flag.strings("annotations to sign with the image, as key=value pairs", { short: "a" }),
  attachment: flag.string("attached artifact to sign instead of the image: sbom", {
    deprecated: REFERRERS,
    weakens: { when: "set", effect: "the artifact attached to the image is signed, not the image" },
  }),
  attachmentTagPrefix,
  outputPayload: flag.string("file to write the signed payload to", {
    deprecated: "use --bundle instead; the bundle contains it",
    output: true,
  }),
  payload: flag.string("payload file or URL to sign, instead of a payload generated for the image", {
    deprecated: "no longer needed: bundles contain a generated payload",
  }),
  recordCreationTimestamp: flag.bool("set the creation time of the signature image", {
    deprecated: "always recorded in bundles",
  }),
  recursive: flag.bool("sign every image of an index, too", { short: "r" }),
  registryReferrersMode: flag.choice(
    ["", "legacy", "oci-1-1"],
    "storage of a legacy signature: under a legacy tag or as an OCI referrer",
    {
      default: "",
      typeName: "registryReferrersMode",
    },
  ),
  signContainerIdentity: flag.strings("image identity to sign, instead of the repository name", {
    deprecated: "never part of bundles",
  }),
  skipSigned: flag.bool(
    "skip images that have this signature already: by the same key or identity, with the same content, and verified",
  ),
  upload: flag.bool("store the signature in the registry", { default: true }),
};

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Sign container images",
  about:
    "Signs each image by its digest and stores the signature in the image's repository: as a Sigstore bundle that refers to the image, or, with --format legacy, under the tag sha256-<digest>.sig.\nKeyless signing requires the Sigstore services. To sign with a key and without any service, use --signing-config with a file that lists no services.",
  examples: [
    "# Sign keylessly (opens a browser to log in)",
    "tsign sign registry.example/app@sha256:…",
    "# Sign with a key",
    "tsign sign --key cosign.key registry.example/app@sha256:…",
    "# Sign with a key and without any service",
    "tsign signing-config create --out no-services.json",
    "tsign sign --key cosign.key --signing-config no-services.json registry.example/app@sha256:…",
    "# Sign a multi-platform image and all its images, with an annotation",
    "tsign sign --key cosign.key --recursive -a env=prod registry.example/app:v1",
    "# Sign the images of a list, and complete a run that was broken off",
    "tsign sign --key cosign.key --from images.txt --skip-signed",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY, unless: "from" },
  flags,
  exclusive: [["useSigningConfig", "signingConfig"]],
});
