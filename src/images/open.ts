import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { attachmentRepository } from "../oci/attachments.ts";
import { openRegistry, type RegistryOptions } from "../oci/open.ts";
import { formatReference, parseReference, type Reference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { imagesBelow, noSuchImage } from "./below.ts";
import { findAtMirrors, type ImageMirrors } from "./mirrors.ts";

/** An image in a registry, resolved to a digest. */
export interface RegistryImage {
  readonly ref: Reference;
  readonly store: ImageStore;
  readonly digest: Digest;
  /** Undefined for an image named by digest that was not looked up. */
  readonly descriptor: Descriptor | undefined;
  /** For an attachment: the image it is attached to, as the user named it. */
  readonly attachedTo?: string;
  /** The image's own repository, where `store` is a mirror of it and it may be asked too. */
  readonly source?: ImageStore | undefined;
}

export interface OpenOptions {
  readonly registry: RegistryOptions;
  /** Whether to look up an image named by digest. A tag is always looked up. */
  readonly mustExist: boolean;
  /** Opens the attachment under the tag `<prefix>sha256-<hex>.sbom` instead of the image. */
  readonly attachment?: "sbom" | undefined;
  /** Prefix of that tag; usually empty. */
  readonly tagPrefix?: string;
  /** Where the image is read before its own repository; not for attachments in its place. */
  readonly mirrors?: ImageMirrors | undefined;
}

/** An image to verify, in a registry or a layout. */
export interface ImageTarget {
  /** For messages: the reference, or the layout's path. */
  readonly name: string;
  /** `registry/repository@sha256:…` or `registry/repository:tag`; for a layout, its path. */
  readonly reference: string;
  readonly digest: Digest;
  readonly store: ImageStore;
  /** The store with its signatures and attestations. */
  readonly attachments: ImageStore;
  /** Another store with signatures and attestations of it: the source of a mirror. */
  readonly moreAttachments?: ImageStore | undefined;
  /** `registry/repository`; for a layout, the repository it was saved from, or empty. */
  readonly repository: string;
}

/**
 * Resolves an image reference to a digest, which is used from here on.
 *
 * @param reference `registry/repository:tag` or `registry/repository@sha256:…`
 * @throws TsignError "image-not-found" for a missing tag or attachment, an image that no mirror has and only a mirror may have, or with `mustExist` a missing digest; "input" for an
 * invalid reference; and the registry's errors
 */
export async function openImage(io: Io, reference: string, options: OpenOptions): Promise<RegistryImage> {
  const { attachment, mirrors, registry } = options;
  const ref = parseReference(reference);
  const store = await openRegistry(io, ref, registry);
  const found = mirrors && (await findAtMirrors(io, { ref, source: store, registry, mirrors }));
  if (found) return { ref, ...found, digest: found.descriptor.digest };
  if (ref.digest && !options.mustExist && attachment === undefined) {
    return { ref, store, digest: ref.digest, descriptor: undefined };
  }
  const image = await store.resolve(ref.identifier);
  if (!image) throw noSuchImage(formatReference(ref));
  if (attachment === undefined) return { ref, store, digest: image.digest, descriptor: image };
  const attached = await store.resolve(attachmentTag(image.digest, attachment, options.tagPrefix ?? ""));
  const attachedTo = formatReference(ref);
  if (!attached) throw new TsignError("image-not-found", `no ${attachment} is attached to ${attachedTo}`);
  return { ref, store, digest: attached.digest, descriptor: attached, attachedTo };
}

/**
 * The descriptor of an image, looked up unless it is known: the `subject` of referrers.
 *
 * @throws TsignError "image-not-found"
 */
export async function descriptorOf({ store, ref, digest, descriptor }: RegistryImage): Promise<Descriptor> {
  const found = descriptor ?? (await store.resolve(digest));
  if (!found) throw new TsignError("image-not-found", `no such image: ${ref.name}@${digest}`);
  return found;
}

/** Opens the store for an image's attachments: the image's own repository, or the one in COSIGN_REPOSITORY of `io.env`. */
export async function openAttachmentStore(
  io: Io,
  image: Pick<RegistryImage, "ref" | "store">,
  registry: RegistryOptions,
): Promise<ImageStore> {
  const repository = attachmentRepository(io.env, image.ref);
  return repository === image.ref ? image.store : openRegistry(io, repository, registry);
}

/** Describes a registry's image for verification. */
export async function imageTarget(io: Io, image: RegistryImage, registry: RegistryOptions): Promise<ImageTarget> {
  const { ref, store, digest, attachedTo, source } = image;
  const attachments = await openAttachmentStore(io, image, registry);
  const moreAttachments = attachments === store ? source : undefined;
  const reference = attachedTo === undefined ? formatReference(ref) : `${ref.name}@${digest}`;
  const name = attachedTo === undefined ? reference : `${reference} (SBOM attached to ${attachedTo})`;
  return { name, reference, digest, store, attachments, moreAttachments, repository: ref.name };
}

/**
 * An image and, for an index, all images in it, each digest once.
 *
 * @throws TsignError "limit" for indexes nested deeper than eight, "image-not-found" for a missing image
 */
export async function withChildren(image: RegistryImage): Promise<RegistryImage[]> {
  const found = await imagesBelow(image.store, image, Number.POSITIVE_INFINITY);
  return found.map(({ digest, descriptor }) => ({ ...image, digest, descriptor }));
}
