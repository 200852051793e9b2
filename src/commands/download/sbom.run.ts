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
  io.stderr.write("WARNING: an attached SBOM is not signed; `tsign attest` makes one that is\n");
  const image = await resolveImage(io, { text, flags, mustExist: false, warnAboutTags: false });
  const digest =
    flags.platform === "" ? image.digest : await imageForPlatform(image.store, image.digest, flags.platform);
  const store = await openAttachments(io, image, flags);
  const found = await findSbom(store, digest, { tagPrefix: flags.attachmentTagPrefix });
  if (!found) throw await nothingAttached(image, digest);
  if (found.referrers > 1) io.stderr.write(`WARNING: ${found.referrers} SBOMs refer to the image; this is the last\n`);
  const [layer, ...others] = found.manifest.layers;
  if (!layer || others.length > 0) {
    const many = found.manifest.layers.length;
    throw new TsignError("input", `what is attached to ${formatReference(image.ref)} has ${many} layers, no SBOM`);
  }
  const bytes = await store.blob(layer, attachmentLimit(io.env));
  io.stderr.write(`Found SBOM of media type: ${printable(layer.mediaType)}\n`);
  io.stdout.data(bytes);
};

/** An index rarely has one of its own: its platforms may. */
async function nothingAttached(image: RegistryImage, digest: Digest): Promise<TsignError> {
  const platforms = digest === image.digest ? await platformsOf(image.store, digest) : [];
  const hint =
    platforms.length > 0 ? { hint: `it is an index: try --platform with one of ${platforms.join(", ")}` } : {};
  return new TsignError("no-signatures", `no SBOM is attached to ${formatReference(image.ref)}`, hint);
}
