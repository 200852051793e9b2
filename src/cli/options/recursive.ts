import { TsignError } from "../../errors.ts";
import { imagesBelow } from "../../images/below.ts";
import { localTarget } from "../../images/local.ts";
import type { ImageTarget } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import { inParallel } from "../../oci/parallel.ts";
import type { Descriptor } from "../../oci/types.ts";
import { openTarget } from "./images.ts";

/** Images looked up at a time, and most images below one index. */
const WORKERS = 8;
const MAX_IMAGES = 1000;

/** An image to verify. */
export interface NamedImage {
  /** What is verified: a reference, or a folder or archive. */
  readonly text: string;
  /** The image that the user named, of which this is the whole or a platform. */
  readonly named: string;
  /** What a table shows in place of the text; undefined for the text. */
  readonly label?: string;
  /** Why its platforms are not known; it then cannot be verified. */
  readonly error?: unknown;
}

type Options = Parameters<typeof openTarget>[2];

/**
 * Returns each image by its digest and, after an index, all images in it. A tag is resolved once, so that the index that is verified is
 * the one whose platforms are.
 */
export async function withPlatforms(io: Io, texts: readonly string[], options: Options): Promise<NamedImage[]> {
  const found = await inParallel(texts, WORKERS, async (text) => {
    try {
      return await platformsOf(io, text, options);
    } catch (error) {
      if (io.signal.aborted || !(error instanceof TsignError)) throw error;
      return [{ text, named: text, error }];
    }
  });
  return found.flat();
}

async function platformsOf(io: Io, text: string, options: Options): Promise<NamedImage[]> {
  const { target, base, own } = await open(io, text, options);
  const images = await imagesBelow(target.store, { digest: target.digest, descriptor: undefined }, MAX_IMAGES);
  return images.map(({ digest, descriptor }) => {
    if (digest === target.digest) return { text: own, named: text };
    const child = `${base}@${digest}`;
    return { text: child, named: text, label: `${child}${platformText(descriptor)}` };
  });
}

/** Opens an image. @returns what its platforms' names begin with, and its own name with its digest */
async function open(
  io: Io,
  text: string,
  options: Options,
): Promise<{ target: ImageTarget; base: string; own: string }> {
  if (options.flags.localImage) {
    const target = await localTarget(io, text);
    return { target, base: target.layout.name, own: `${target.layout.name}@${target.digest}` };
  }
  const target = await openTarget(io, text, { ...options, mustExist: true });
  const { reference, repository, digest } = target;
  return { target, base: repository, own: reference.includes("@") ? reference : `${reference}@${digest}` };
}

/** ` (linux/arm64)`; empty for an unknown platform. */
function platformText(descriptor: Descriptor | undefined): string {
  const { os, architecture, variant } = descriptor?.platform ?? {};
  const parts = [os, architecture, variant].filter((part) => typeof part === "string" && part !== "");
  return parts.length === 0 || os === "unknown" ? "" : ` (${parts.join("/")})`;
}
