import { resolveImage } from "../cli/options/images.ts";
import type { Run } from "../cli/parser/define.ts";
import { TsignError } from "../errors.ts";
import { attachmentRepository } from "../oci/attachments.ts";
import { type AttachmentKind, attachmentTag } from "../oci/tags.ts";
import type definition from "./triangulate.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  const suffix = SUFFIX[flags.type];
  if (flags.type === "") {
    throw new TsignError("usage", 'unknown attachment type ""', {
      hint: "use --type signature, attestation, sbom or digest",
    });
  }
  const image = await resolveImage(io, {
    text,
    flags,
    mustExist: false,
    warnAboutTags: false,
  });
  if (suffix === "sbom") {
    io.stderr.write("WARNING: an attached SBOM is not signed; sign one with `tsign attest`\n");
  }
  const where = suffix
    ? `${attachmentRepository(io.env, image.ref).name}:${attachmentTag(image.digest, suffix, flags.attachmentTagPrefix)}`
    : `${image.ref.name}@${image.digest}`;
  io.stdout.write(`${where}\n`);
  return { place: where };
};

const SUFFIX: Readonly<Record<string, AttachmentKind>> = { signature: "sig", attestation: "att", sbom: "sbom" };
