import { outputOf } from "../../cli/effects.ts";
import { openAttachments, resolveImage } from "../../cli/options/images.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { findSbom } from "../../evidence/find/sbom.ts";
import type { Digest } from "../../format/digest.ts";
import { printable } from "../../format/printable.ts";
import type { RegistryImage } from "../../images/open.ts";
import { imageForPlatform, platformsOf } from "../../images/platform.ts";
import { attachmentLimit } from "../../oci/attachments.ts";
import { formatReference } from "../../oci/ref.ts";
import type definition from "./sbom.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  io.stderr.write("WARNING: an attached SBOM is not signed; sign one with `tsign attest`\n");
  const image = await resolveImage(io, { text, flags, mustExist: false, warnAboutTags: false });
  const digest =
    flags.platform === "" ? image.digest : await imageForPlatform(image.store, image.digest, flags.platform);
  const store = await openAttachments(io, image, flags);
  const found = await findSbom(store, digest, { tagPrefix: flags.attachmentTagPrefix });
  if (!found) throw await nothingAttached(image, digest);
  if (found.referrers > 1)
    io.stderr.write(`WARNING: ${found.referrers} SBOMs refer to the image; printing the last one\n`);
  const [layer, ...others] = found.manifest.layers;
  if (!layer || others.length > 0) {
    const many = found.manifest.layers.length;
    throw new TsignError("input", `SBOM of ${formatReference(image.ref)}: expected one layer, found ${many}`);
  }
  const bytes = await store.blob(layer, attachmentLimit(io.env));
  io.stderr.write(`Found SBOM of media type: ${printable(layer.mediaType)}\n`);
  io.stdout.data(bytes);
  const { output, encoding } = outputOf(bytes);
  return { mediaType: layer.mediaType, sbom: output ?? "", ...(encoding ? { encoding } : {}) };
};

/** Builds the error; for an index the hint names its platforms, which may have one. */
async function nothingAttached(image: RegistryImage, digest: Digest): Promise<TsignError> {
  const platforms = digest === image.digest ? await platformsOf(image.store, digest) : [];
  const hint =
    platforms.length > 0 ? { hint: `pass --platform with one of ${platforms.join(", ")}: the image is an index` } : {};
  return new TsignError("no-signatures", `no SBOM is attached to ${formatReference(image.ref)}`, hint);
}
