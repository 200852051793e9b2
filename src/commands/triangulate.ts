import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { resolveImage } from "../cli/options/images.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { TsignError } from "../errors.ts";
import { attachmentRepository } from "../oci/attachments.ts";
import { type AttachmentKind, attachmentTag } from "../oci/tags.ts";

const SUFFIX: Readonly<Record<string, AttachmentKind>> = { signature: "sig", attestation: "att", sbom: "sbom" };

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print where an image's signatures are kept",
  about:
    "Prints the tag under which the legacy form keeps what is attached to an image, whether or not there is anything.",
  examples: [
    "tsign triangulate registry.example/app:v1",
    "tsign triangulate --type attestation registry.example/app:v1",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    type: flag.string("what to look for: signature, attestation, sbom or digest", {
      default: "signature",
      choices: ["signature", "attestation", "sbom", "digest"],
    }),
  },
  deprecated: "use `tsign tree`, which shows referrers too",
  async run(io, { args: [text = ""], flags }) {
    const suffix = SUFFIX[flags.type];
    if (!suffix && flags.type !== "digest") {
      throw new TsignError("usage", `unknown attachment type ${flags.type}`, {
        hint: "signature, attestation, sbom or digest",
      });
    }
    const image = await resolveImage(io, {
      text,
      flags: { ...flags, attachment: "" },
      mustExist: false,
      warnAboutTags: false,
    });
    if (suffix === "sbom") {
      io.stderr.write("WARNING: an attached SBOM is not signed; `tsign attest` makes one that is\n");
    }
    const where = suffix
      ? `${attachmentRepository(io.env, image.ref).name}:${attachmentTag(image.digest, suffix, flags.attachmentTagPrefix)}`
      : `${image.ref.name}@${image.digest}`;
    io.stdout.write(`${where}\n`);
  },
});
