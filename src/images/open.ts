import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { attachmentRepository } from "../oci/attachments.ts";
import type { LayoutIo } from "../oci/layout/files.ts";
import { openLayout } from "../oci/layout/layout.ts";
import { openRegistry, type RegistryOptions } from "../oci/open.ts";
import { formatReference, parseReference, type Reference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { imagesBelow, noSuchImage } from "./below.ts";

/** An image in a registry, pinned to a digest. */
export interface RegistryImage {
  readonly ref: Reference;
  readonly store: ImageStore;
  readonly digest: Digest;
  /** Undefined when the image was named by digest and not looked at. */
  readonly descriptor: Descriptor | undefined;
  /** What this is attached to, as the user named it: it is not that image itself. */
  readonly attachedTo?: string;
}

export interface OpenOptions {
  readonly registry: RegistryOptions;
  /** Whether an image named by digest is looked up. A tag always is. */
  readonly mustExist: boolean;
  /** Opens what is attached to the image under the tag `<prefix>sha256-<hex>.sbom`, in place of the image. */
  readonly attachment?: "sbom" | undefined;
  /** Put before that tag; usually empty. */
  readonly tagPrefix?: string;
}

/** An image to verify, wherever it is stored. */
export interface ImageTarget {
  /** For messages: the reference, or the layout's path. */
  readonly name: string;
  /** `registry/repository@sha256:…` or with the tag it was named by; the layout's path. */
  readonly reference: string;
  readonly digest: Digest;
  readonly store: ImageStore;
  /** Where its signatures and attestations are. */
  readonly attachments: ImageStore;
  /** `registry/repository`; of a layout what it was saved from, or empty. */
  readonly repository: string;
}

/**
 * Finds out which digest an image reference means; from here on only that digest counts.
 *
 * @param reference `registry/repository:tag` or `registry/repository@sha256:…`
 * @throws TsignError "image-not-found" for a tag, an attachment, or with `mustExist` a digest that is not there; "input" for
 * what is no reference; and what the registry throws
 */
export async function openImage(io: Io, reference: string, options: OpenOptions): Promise<RegistryImage> {
  const { attachment } = options;
  const ref = parseReference(reference);
  const store = await openRegistry(io, ref, options.registry);
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
 * The descriptor of an image, looked up where it is not known yet: what a referrer names as its subject.
 *
 * @throws TsignError "image-not-found"
 */
export async function descriptorOf({ store, ref, digest, descriptor }: RegistryImage): Promise<Descriptor> {
  const found = descriptor ?? (await store.resolve(digest));
  if (!found) throw new TsignError("image-not-found", `no such image: ${ref.name}@${digest}`);
  return found;
}

/** Where what is attached to an image is kept: beside it, or in the repository that COSIGN_REPOSITORY of `io.env` names. */
export async function openAttachmentStore(
  io: Io,
  image: Pick<RegistryImage, "ref" | "store">,
  registry: RegistryOptions,
): Promise<ImageStore> {
  const repository = attachmentRepository(io.env, image.ref);
  return repository === image.ref ? image.store : openRegistry(io, repository, registry);
}

/** An image of a registry, to verify. */
export async function imageTarget(io: Io, image: RegistryImage, registry: RegistryOptions): Promise<ImageTarget> {
  const { ref, store, digest, attachedTo } = image;
  const attachments = await openAttachmentStore(io, image, registry);
  const reference = attachedTo === undefined ? formatReference(ref) : `${ref.name}@${digest}`;
  const name = attachedTo === undefined ? reference : `${reference} (the sbom attached to ${attachedTo})`;
  return { name, reference, digest, store, attachments, repository: ref.name };
}

/**
 * The image of an OCI layout on disk, as `tsign save` writes it, to verify.
 *
 * @throws TsignError "input" when the folder is no layout or holds links, and when it holds not exactly one image
 */
export async function layoutTarget(io: LayoutIo, folder: string): Promise<ImageTarget> {
  const layout = await openLayout(io, folder);
  const { digest, annotations } = await layout.image();
  const repository = annotations?.["org.opencontainers.image.ref.name"] ?? "";
  return { name: folder, reference: folder, digest, store: layout, attachments: layout, repository };
}

/**
 * An image, and if it is an index everything below it, each digest once.
 *
 * @throws TsignError "limit" for indexes nested deeper than eight, "image-not-found" for a listed image that is not there
 */
export async function withChildren(image: RegistryImage): Promise<RegistryImage[]> {
  const found = await imagesBelow(image.store, image, Number.POSITIVE_INFINITY);
  return found.map(({ digest, descriptor }) => ({ ...image, digest, descriptor }));
}
