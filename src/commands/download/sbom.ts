import { defineCommand, flag } from "../../cli/define.ts";
import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { openAttachments, resolveImage } from "../../cli/images.ts";
import { imageForPlatform } from "../../cli/platform.ts";
import { TsignError } from "../../errors.ts";
import { maxAttachmentSize } from "../../oci/attachments.ts";
import { formatReference } from "../../oci/ref.ts";
import { attachmentTag } from "../../oci/tags.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the software bill of materials attached to an image",
  about: "Prints what `attach sbom` stored, as it is. Nobody signed it: an attestation says who did.",
  examples: ["tsign download sbom registry.example/app:v1 > sbom.spdx"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    platform: flag.string("the image of an index for this platform: linux/amd64"),
  },
  async run(io, { args: [text = ""], flags }) {
    io.stderr.write("WARNING: an attached SBOM is not signed; `tsign attest` makes one that is\n");
    const named = { ...flags, attachment: "" };
    const image = await resolveImage(io, { text, flags: named, mustExist: true, warnAboutTags: false });
    const digest =
      flags.platform === "" ? image.digest : await imageForPlatform(image.store, image.digest, flags.platform);
    const store = await openAttachments(io, image, flags);
    const stored = await store.manifest(attachmentTag(digest, "sbom", flags.attachmentTagPrefix));
    const [layer, ...others] = stored?.manifest.layers ?? [];
    if (!layer || others.length > 0) {
      throw new TsignError("no-signatures", `no SBOM is attached to ${formatReference(image.ref)}`);
    }
    const bytes = await store.blob(layer, { maxBytes: maxAttachmentSize(io.env) });
    io.stderr.write(`Found SBOM of media type: ${layer.mediaType}\n`);
    io.stdout.write(bytes);
  },
});
