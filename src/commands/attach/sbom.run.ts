import { openAttachments, requireExperimental, resolveImage } from "../../cli/options/images.ts";
import type { Run } from "../../cli/parser/define.ts";
import { printStored } from "../../cli/print/stored.ts";
import { TsignError } from "../../errors.ts";
import { signatureImage } from "../../evidence/legacy/write.ts";
import { SBOM_ARTIFACT_TYPE } from "../../evidence/media-types.ts";
import { digestOf } from "../../format/digest.ts";
import { readBlob } from "../../net/input.ts";
import { attachmentLimit } from "../../oci/attachments.ts";
import { formatReference } from "../../oci/ref.ts";
import { attachmentTag } from "../../oci/tags.ts";
import type definition from "./sbom.ts";
import { MEDIA_TYPES } from "./sbom.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  io.stderr.write("WARNING: an attached SBOM is not signed; sign one with `tsign attest`\n");
  requireExperimental(io, flags.registryReferrersMode);
  if (flags.sbom === "") throw new TsignError("usage", "--sbom is required");
  const mediaType = mediaTypeOf(flags);
  const document = await readBlob(io, flags.sbom, attachmentLimit(io.env));
  const referrer = flags.registryReferrersMode === "oci-1-1";
  const image = await resolveImage(io, { text, flags, mustExist: referrer, warnAboutTags: true });
  const store = await openAttachments(io, image, flags);
  const layer = { ...(await store.putBlob(document)), mediaType };
  const subject = referrer ? image.descriptor : undefined;
  const style = { dockerMediaTypes: false, created: undefined, subject };
  const written = await signatureImage({ store, current: undefined, layer, style, artifactType: SBOM_ARTIFACT_TYPE });
  const announceUpload = (where: string) =>
    io.stderr.write(
      `Uploading SBOM file for [${formatReference(image.ref)}] to [${where}] with mediaType [${mediaType}].\n`,
    );
  if (subject) {
    announceUpload(`${store.name}@${digestOf(written.bytes)}`);
    const { digest } = await store.putReferrer(written.bytes, { mediaType: written.mediaType });
    printStored(io, { kind: "SBOM", where: `${store.name}@${digest}` });
    return;
  }
  const tag = attachmentTag(image.digest, "sbom", flags.attachmentTagPrefix);
  announceUpload(`${store.name}:${tag}`);
  await store.putManifest(written.bytes, { mediaType: written.mediaType, tag });
  printStored(io, { kind: "SBOM", where: `${store.name}@${digestOf(written.bytes)}` });
};

/** @throws TsignError "usage" for an empty type, or a format that the type does not have */
function mediaTypeOf(flags: { type: string; inputFormat: string; sbom: string }): string {
  const formats = MEDIA_TYPES[flags.type];
  if (!formats) {
    const hint = `use --type ${Object.keys(MEDIA_TYPES).join(" or ")}`;
    throw new TsignError("usage", `unknown SBOM type "${flags.type}"`, { hint });
  }
  const [usual = ""] = Object.keys(formats);
  const format = flags.inputFormat || (flags.sbom.endsWith(".json") ? "json" : usual);
  const mediaType = formats[format];
  if (!mediaType) {
    const hint = `use --input-format ${Object.keys(formats).join(" or ")}`;
    throw new TsignError("usage", `unknown SBOM format for ${flags.type}: ${format}`, { hint });
  }
  return mediaType;
}
