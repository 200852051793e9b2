import { TsignError } from "../errors.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { attachmentRepository } from "../oci/attachments.ts";
import { openRegistry } from "../oci/open.ts";
import { formatReference, parseReference, type Reference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { type registryFlags, registryOptions } from "./flags/registry.ts";
import type { FlagValues } from "./parser/define.ts";

type Flags = FlagValues<typeof registryFlags> & {
  readonly attachment: string;
  readonly attachmentTagPrefix: string;
};

/** An image that a command works on, pinned to a digest. */
export interface SignedImage {
  readonly ref: Reference;
  readonly store: ImageStore;
  readonly digest: Digest;
  /** Undefined when the image was named by digest and not looked at. */
  readonly descriptor: Descriptor | undefined;
  /** What this is attached to, as the user named it: it is not that image itself. */
  readonly attachedTo?: string;
}

/**
 * Finds out which digest an image reference means; from here on only that digest counts.
 *
 * @throws TsignError "image-not-found"
 */
export async function resolveImage(
  io: Io,
  options: { text: string; flags: Flags; mustExist: boolean; warnAboutTags: boolean },
): Promise<SignedImage> {
  const { text, flags } = options;
  if (flags.attachment !== "" && flags.attachment !== "sbom") {
    throw new TsignError("usage", `specified image attachment ${flags.attachment} not specified. Can be 'sbom'`);
  }
  const ref = parseReference(text);
  const store = await openRegistry(io, ref, registryOptions(flags));
  if (!ref.digest && options.warnAboutTags) warnAboutTag(io, text);
  if (ref.digest && !options.mustExist && flags.attachment === "") {
    return { ref, store, digest: ref.digest, descriptor: undefined };
  }
  const image = await store.resolve(ref.identifier);
  if (!image) throw new TsignError("image-not-found", `no such image: ${formatReference(ref)}`);
  if (flags.attachment === "") return { ref, store, digest: image.digest, descriptor: image };
  const tag = attachmentTag(image.digest, "sbom", flags.attachmentTagPrefix);
  const attached = await store.resolve(tag);
  if (!attached)
    throw new TsignError("image-not-found", `no ${flags.attachment} is attached to ${formatReference(ref)}`);
  const attachedTo = formatReference(ref);
  io.stderr.write(
    `WARNING: the ${flags.attachment} attached to ${attachedTo} is meant, ${ref.name}@${attached.digest}, not the image\n`,
  );
  return { ref, store, digest: attached.digest, descriptor: attached, attachedTo };
}

/** Where what is attached to an image is kept: beside it, or in COSIGN_REPOSITORY. */
export async function openAttachments(
  io: Io,
  image: Pick<SignedImage, "ref" | "store">,
  flags: FlagValues<typeof registryFlags>,
): Promise<ImageStore> {
  const repository = attachmentRepository(io.env, image.ref);
  return repository === image.ref ? image.store : openRegistry(io, repository, registryOptions(flags));
}

/**
 * `--registry-referrers-mode=oci-1-1` is behind COSIGN_EXPERIMENTAL, as in cosign.
 *
 * @throws TsignError "usage"
 */
export function requireExperimental(io: Pick<Io, "env">, mode: string): void {
  if (mode !== "oci-1-1" || /^(1|t|true)$/i.test(io.env["COSIGN_EXPERIMENTAL"] ?? "")) return;
  throw new TsignError("usage", "--registry-referrers-mode=oci-1-1 is experimental", {
    hint: "set COSIGN_EXPERIMENTAL=1 to use it",
  });
}

function warnAboutTag(io: Io, text: string): void {
  const lines = [
    `WARNING: Image reference ${text} uses a tag, not a digest, to identify the image to sign.`,
    "    This can lead you to sign a different image than the intended one. Use a digest",
    "    (registry/repository@sha256:…) instead; a later version may refuse tags.",
    "",
  ];
  for (const line of lines) io.stderr.write(`${line}\n`);
}

/** An image, and if it is an index everything below it, each digest once. */
export async function withChildren(image: SignedImage): Promise<SignedImage[]> {
  const found = new Map<Digest, SignedImage>();
  const visit = async (each: SignedImage, depth: number): Promise<void> => {
    if (found.has(each.digest)) return;
    if (depth > 8) throw new TsignError("limit", `${image.ref.name}@${image.digest} is nested deeper than 8 indexes`);
    found.set(each.digest, each);
    const stored = await each.store.manifest(each.digest);
    if (!stored) throw new TsignError("image-not-found", `no such image: ${each.ref.name}@${each.digest}`);
    for (const child of stored.manifest.manifests ?? []) {
      await visit({ ...each, digest: child.digest, descriptor: child }, depth + 1);
    }
  };
  await visit(image, 0);
  return [...found.values()];
}

/**
 * `key=value` pairs, split at the first `=`, to be signed or stored: a key has one value.
 *
 * @throws TsignError "usage", also for a key that is given twice with different values
 */
export function parseAnnotations(pairs: readonly string[]): Record<string, string> {
  const entries = Object.entries(requiredAnnotations(pairs)).map(([key, [value = "", ...others]]) => {
    if (others.length > 0) {
      throw new TsignError("usage", `the annotation ${key} is given twice, as "${value}" and as "${others[0]}"`, {
        hint: "an annotation has one value: leave one of them out",
      });
    }
    return [key, value] as const;
  });
  return Object.fromEntries(entries);
}

/**
 * `key=value` pairs, split at the first `=`, that must all be signed: every value that was given, by its key.
 *
 * @throws TsignError "usage"
 */
export function requiredAnnotations(pairs: readonly string[]): Record<string, readonly string[]> {
  const values = new Map<string, Set<string>>();
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals < 0) throw new TsignError("usage", `unable to parse annotation: ${pair}`, { hint: "write key=value" });
    const key = pair.slice(0, equals);
    values.set(key, (values.get(key) ?? new Set()).add(pair.slice(equals + 1)));
  }
  return Object.fromEntries([...values].map(([key, found]) => [key, [...found]]));
}
