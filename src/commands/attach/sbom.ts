import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { openAttachments, requireExperimental, resolveImage } from "../../cli/options/images.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { signatureImage } from "../../evidence/legacy/write.ts";
import { SBOM_ARTIFACT_TYPE } from "../../evidence/media-types.ts";
import { digestOf } from "../../format/digest.ts";
import { readBlob } from "../../net/input.ts";
import { attachmentLimit } from "../../oci/attachments.ts";
import { formatReference } from "../../oci/ref.ts";
import { attachmentTag } from "../../oci/tags.ts";

/** Media types by the kind of document and how it is written. */
const MEDIA_TYPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  spdx: { text: "text/spdx", json: "text/spdx+json" },
  cyclonedx: { xml: "application/vnd.cyclonedx+xml", json: "application/vnd.cyclonedx+json" },
  syft: { json: "application/vnd.syft+json" },
};

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Attach a software bill of materials to an image",
  about: "Stores a document with an image, unsigned. `tsign attest --type spdxjson` stores one that is signed.",
  examples: ["tsign attach sbom --sbom app.spdx registry.example/app@sha256:…"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    inputFormat: flag.string("how it is written: text, json or xml", { choices: ["text", "json", "xml"] }),
    registryReferrersMode: flag.choice(["", "legacy", "oci-1-1"], "how it is attached", {
      default: "",
      typeName: "registryReferrersMode",
    }),
    sbom: flag.string("file of the document, - for stdin"),
    type: flag.string("what it is: spdx, cyclonedx or syft", { default: "spdx", choices: Object.keys(MEDIA_TYPES) }),
  },
  async run(io, { args: [text = ""], flags }) {
    io.stderr.write("WARNING: an attached SBOM is not signed; `tsign attest` makes one that is\n");
    requireExperimental(io, flags.registryReferrersMode);
    if (flags.sbom === "") throw new TsignError("usage", "--sbom names no file");
    const mediaType = mediaTypeOf(flags);
    const document = await readBlob(io, flags.sbom, attachmentLimit(io.env));
    const referrer = flags.registryReferrersMode === "oci-1-1";
    const named = { ...flags, attachment: "" };
    const image = await resolveImage(io, { text, flags: named, mustExist: referrer, warnAboutTags: true });
    const store = await openAttachments(io, image, flags);
    const layer = { ...(await store.putBlob(document)), mediaType };
    const subject = referrer ? image.descriptor : undefined;
    const style = { dockerMediaTypes: false, created: undefined, subject };
    const written = await signatureImage({ store, current: undefined, layer, style, artifactType: SBOM_ARTIFACT_TYPE });
    const told = (where: string) =>
      io.stderr.write(
        `Uploading SBOM file for [${formatReference(image.ref)}] to [${where}] with mediaType [${mediaType}].\n`,
      );
    if (subject) {
      told(`${store.name}@${digestOf(written.bytes)}`);
      await store.putReferrer(written.bytes, { mediaType: written.mediaType });
      return;
    }
    const tag = attachmentTag(image.digest, "sbom", flags.attachmentTagPrefix);
    told(`${store.name}:${tag}`);
    await store.putManifest(written.bytes, { mediaType: written.mediaType, tag });
  },
});

/** @throws TsignError "usage" for a kind or format that is not known */
function mediaTypeOf(flags: { type: string; inputFormat: string; sbom: string }): string {
  const formats = Object.hasOwn(MEDIA_TYPES, flags.type) ? MEDIA_TYPES[flags.type] : undefined;
  if (!formats) {
    throw new TsignError("usage", `unknown SBOM type: ${flags.type}`, { hint: Object.keys(MEDIA_TYPES).join(", ") });
  }
  const [usual = ""] = Object.keys(formats);
  const format = flags.inputFormat || (flags.sbom.endsWith(".json") ? "json" : usual);
  const mediaType = Object.hasOwn(formats, format) ? formats[format] : undefined;
  if (!mediaType) {
    const hint = Object.keys(formats).join(", ");
    throw new TsignError("usage", `unknown SBOM format for ${flags.type}: ${format}`, { hint });
  }
  return mediaType;
}
