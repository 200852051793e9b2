import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { signingFlags } from "../cli/flags/signing.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

const REFERRERS = "referrers hold it";

export const flags = {
  ...keyFlags,
  ...signingFlags,
  ...registryFlags,
  annotations: flag.strings("key=value pairs to sign with the image", { short: "a" }),
  attachment: flag.string("sign what is attached to the image instead: sbom", {
    deprecated: REFERRERS,
    weakens: { when: "set", effect: "what is attached to an image is signed, not the image" },
  }),
  attachmentTagPrefix,
  outputPayload: flag.string("file to write the signed payload to", {
    deprecated: "the bundle of --bundle holds it",
    output: true,
  }),
  payload: flag.string("file, or URL, of a payload to sign instead of one made for the image", {
    deprecated: "the bundle form makes its own",
  }),
  recordCreationTimestamp: flag.bool("record when the signature image was made", {
    deprecated: "the bundle form always records it",
  }),
  recursive: flag.bool("also sign every image of an index", { short: "r" }),
  registryReferrersMode: flag.choice(["", "legacy", "oci-1-1"], "how a legacy signature is attached", {
    default: "",
    typeName: "registryReferrersMode",
  }),
  signContainerIdentity: flag.strings("name to sign the image under, instead of its repository's", {
    deprecated: "the bundle form signs no name",
  }),
  upload: flag.bool("store the signature in the registry", { default: true }),
};

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Sign container images",
  about:
    "Signs what each image reference points at and stores the signature beside the image: as a Sigstore bundle that refers " +
    "to it, or in the legacy form under the tag sha256-<digest>.sig.\nWithout services, sign with " +
    "--use-signing-config=false --tlog-upload=false.",
  examples: [
    "# with your identity: a browser asks who you are",
    "tsign sign registry.example/app@sha256:…",
    "# with a key, and without any service",
    "tsign sign --key cosign.key --use-signing-config=false --tlog-upload=false registry.example/app@sha256:…",
    "tsign sign --key cosign.key --use-signing-config=false --tlog-upload=false -a env=prod --recursive registry.example/app:v1",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [["useSigningConfig", "signingConfig"]],
});
