import { TsignError } from "../errors.ts";
import type { Attached } from "../evidence/find/attached.ts";
import { ANNOTATION, BUNDLE_MEDIA_TYPE_PREFIX } from "../evidence/media-types.ts";
import type { Digest } from "../format/digest.ts";
import { isObject, parseJson } from "../format/json.ts";
import type { ArchivePart } from "../oci/layout/write-archive.ts";
import { formatReference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Content } from "../oci/transfer.ts";
import type { ImageStore } from "../oci/types.ts";
import type { RegistryImage } from "./open.ts";
import { findImageTree } from "./tree.ts";

/** An image to save, with everything attached to it. */
export interface ImageToSave {
  readonly image: RegistryImage;
  readonly attachments: ImageStore;
  readonly attached: readonly Attached[];
}

/**
 * Finds everything that belongs to an image to save.
 *
 * @param options.tagPrefix prefix of the tags of legacy attachments
 * @throws TsignError as `findImageTree`
 */
export async function imageToSave(
  image: RegistryImage,
  attachments: ImageStore,
  options: { tagPrefix: string },
): Promise<ImageToSave> {
  const { attached } = await findImageTree({ images: image.store, attachments }, image.digest, options);
  return { image, attachments, attached };
}

/**
 * Returns what an archive of these images contains. Images are named as they were given; attachments with a tag by that tag in the
 * image's repository; referrers are found by their subject.
 *
 * @throws TsignError "input" for two different legacy attachments of one digest, of which a reader would find only one
 */
export function archiveParts(images: readonly ImageToSave[]): ArchivePart[] {
  const tags = new Map<string, Digest>();
  const parts: ArchivePart[] = [];
  for (const { image, attachments, attached } of images) {
    const { ref, store, digest } = image;
    parts.push({ from: store, digest, names: [formatReference(ref)], isImage: true });
    for (const each of attached) {
      const tag = each.tagged ? tagOf(each) : undefined;
      if (tag !== undefined && (tags.get(tag) ?? each.digest) !== each.digest) {
        const reason = `${tag} differs from the one of another image with the same digest`;
        throw new TsignError("input", `save ${formatReference(ref)}: ${reason}`, {
          hint: "save the two images to two archives",
        });
      }
      if (tag !== undefined) tags.set(tag, each.digest);
      const names = tag === undefined ? [] : [`${ref.name}:${tag}`];
      parts.push({ from: attachments, digest: each.digest, names, isImage: false });
    }
  }
  return parts;
}

function tagOf({ kind, subject }: Attached): string {
  return attachmentTag(subject, kind === "other" ? "sbom" : kind);
}

const LEGACY_EVIDENCE = [ANNOTATION.certificate, ANNOTATION.logEntry, ANNOTATION.timestamp];

/**
 * Whether verifying a signature needs a trusted root: it has a certificate, a log entry or a timestamp.
 *
 * @param bytes of a small blob; a larger one is assumed to need it
 */
export function needsTrustedRoot(content: Content, bytes: Uint8Array | undefined): boolean {
  if ("manifest" in content) {
    const { layers } = content.manifest.manifest;
    return layers.some(({ annotations }) => LEGACY_EVIDENCE.some((name) => annotations?.[name] !== undefined));
  }
  const { mediaType } = content.blob;
  const isBundle = [mediaType, content.of.manifest.artifactType].some((type) =>
    type?.startsWith(BUNDLE_MEDIA_TYPE_PREFIX),
  );
  return isBundle && mediaType !== content.of.manifest.config?.mediaType && (!bytes || hasMaterial(bytes));
}

function hasMaterial(bytes: Uint8Array): boolean {
  try {
    const bundle = parseJson(bytes, "a bundle");
    const material = isObject(bundle) ? bundle["verificationMaterial"] : undefined;
    if (!isObject(material)) return false;
    const timestamps = material["timestampVerificationData"];
    const lists = [material["tlogEntries"], isObject(timestamps) ? timestamps["rfc3161Timestamps"] : undefined];
    const hasCertificate = ["certificate", "x509CertificateChain"].some((name) => isObject(material[name]));
    return hasCertificate || lists.some((list) => Array.isArray(list) && list.length > 0);
  } catch (error) {
    if (error instanceof TsignError) return false; // not a bundle
    throw error;
  }
}
