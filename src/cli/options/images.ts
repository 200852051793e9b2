import { replaceHint, TsignError } from "../../errors.ts";
import { localTarget, missingContent } from "../../images/local.ts";
import {
  type ImageTarget,
  imageTarget,
  openAttachmentStore,
  openImage,
  type RegistryImage,
} from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import type { RegistryOptions } from "../../oci/open.ts";
import { parseReference } from "../../oci/ref.ts";
import type { ImageStore } from "../../oci/types.ts";
import { type registryFlags, registryOptions } from "../flags/registry.ts";
import type { FlagValues } from "../parser/define.ts";
import { watchedTransfer } from "../print/progress.ts";

type RegistryFlags = FlagValues<typeof registryFlags>;

/** The flags that decide which image a reference stands for. */
type ImageFlags = RegistryFlags & {
  /** The attached artifact to use in place of the image; "" or absent for the image itself. */
  readonly attachment?: string;
  readonly attachmentTagPrefix: string;
};

/**
 * Resolves an image reference to a digest. Warns of a tag, and of an attachment in place of the image.
 *
 * @throws TsignError "usage" for an unknown --attachment, and what `openImage` throws
 */
export async function resolveImage(
  io: Io,
  options: {
    text: string;
    flags: ImageFlags;
    mustExist: boolean;
    warnAboutTags: boolean;
    /** Default: the options of `flags`. */
    registry?: RegistryOptions;
  },
): Promise<RegistryImage> {
  const { text, flags, mustExist } = options;
  const { attachment = "", attachmentTagPrefix: tagPrefix } = flags;
  if (attachment !== "" && attachment !== "sbom") {
    throw new TsignError("usage", `specified image attachment ${attachment} not specified. Can be 'sbom'`);
  }
  if (options.warnAboutTags && !parseReference(text).digest) warnAboutTag(io, text);
  const { registry = registryOptions(flags) } = options;
  const image = await openImage(io, text, { registry, mustExist, attachment: attachment || undefined, tagPrefix });
  const { ref, digest, attachedTo } = image;
  if (attachedTo !== undefined) {
    io.stderr.write(
      `WARNING: using the ${attachment} attached to ${attachedTo}, ${ref.name}@${digest}, instead of the image\n`,
    );
  }
  return image;
}

/** Opens the repository of an image's attachments: its own, or COSIGN_REPOSITORY. */
export function openAttachments(
  io: Io,
  image: Pick<RegistryImage, "ref" | "store">,
  flags: RegistryFlags,
): Promise<ImageStore> {
  return openAttachmentStore(io, image, registryOptions(flags));
}

/**
 * Opens the image to verify: a reference, or with --local-image a folder.
 *
 * @throws TsignError "image-not-found" for a tag that is not there, and with `mustExist` for a digest
 */
export async function openTarget(
  io: Io,
  text: string,
  options: {
    flags: ImageFlags & { readonly localImage: boolean };
    mustExist: boolean;
    connections?: RegistryOptions["connections"];
  },
): Promise<ImageTarget> {
  const { flags, mustExist, connections } = options;
  if (flags.localImage) {
    if (flags.attachment) io.stderr.write("WARNING: --attachment is ignored with --local-image\n");
    return checkedLocalTarget(io, text);
  }
  const registry = { ...registryOptions(flags), ...(connections ? { connections } : {}) };
  const asked = { text, flags, mustExist, warnAboutTags: false, registry };
  const image = await resolveImage(io, asked).catch((error: unknown) => suggestLocalImage(io, text, error));
  return imageTarget(io, image, registry);
}

/** Opens an image on disk, checks the digests of its content, and warns of what is missing. */
async function checkedLocalTarget(io: Io, text: string): Promise<ImageTarget> {
  const target = await localTarget(io, text);
  const missing = await missingContent(target.layout, target.digest, { watch: watchedTransfer(io, "checking") });
  const [first] = missing;
  if (first) {
    const more = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
    io.stderr.write(`WARNING: ${target.name} is incomplete: missing ${first.digest}${more}\n`);
  }
  return target;
}

/** Throws the error; if a folder has the image's name, with a hint to verify that. */
async function suggestLocalImage(io: Io, text: string, error: unknown): Promise<never> {
  const isFolder = /^[\w.-]+$/.test(text) && (await io.files.stat(text))?.kind === "directory";
  if (!isFolder || !(error instanceof TsignError) || error.code === "cancelled") throw error;
  throw replaceHint(error, `add --local-image to verify the folder ${text}`);
}

/**
 * Refuses `--registry-referrers-mode=oci-1-1` without COSIGN_EXPERIMENTAL=1, as cosign does.
 *
 * @throws TsignError "usage"
 */
export function requireExperimental(io: Pick<Io, "env">, mode: string): void {
  if (mode !== "oci-1-1" || /^(1|t|true)$/i.test(io.env["COSIGN_EXPERIMENTAL"] ?? "")) return;
  throw new TsignError("usage", "--registry-referrers-mode=oci-1-1 is experimental", {
    hint: "set COSIGN_EXPERIMENTAL=1 to use it",
  });
}

/** Warns with three lines as cosign does; a terminal gets one, to wrap at its own width. */
function warnAboutTag(io: Io, text: string): void {
  const lines = [
    `WARNING: Image reference ${text} uses a tag, not a digest, to identify the image to sign.`,
    "    This can lead you to sign a different image than the intended one. Use a digest",
    "    (registry/repository@sha256:…) instead; a later version may refuse tags.",
  ];
  const shown = io.tty.stderr ? [lines.map((line) => line.trim()).join(" ")] : lines;
  for (const line of [...shown, ""]) io.stderr.write(`${line}\n`);
}
