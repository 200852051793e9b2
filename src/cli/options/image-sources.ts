import { TsignError, withMessage } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { isArchive } from "../../oci/layout/archive-files.ts";
import { formatReference, parseReference } from "../../oci/ref.ts";
import { isDockersFrontend } from "../../sources/dockerfile-frontend.ts";
import { type ImageSourceOptions, pinImages, type ReadImages, readImages } from "../../sources/images.ts";
import type { imageSourceFlags, pinFlags } from "../flags/image-sources.ts";
import type { FlagValues } from "../parser/define.ts";
import { targetBelow } from "./copy-targets.ts";
import { type CredentialFlags, requireOneRegistry } from "./sent-credentials.ts";

type SourceFlags = FlagValues<typeof imageSourceFlags>;

/** The images of a command line, each once. */
export interface ImageInputs {
  /** References as they are written, or folders. */
  readonly images: readonly string[];
  /** Sets the digest of one of the images, once it is verified. */
  readonly setDigest: (image: string, digest: Digest) => void;
  /**
   * Verifies the images, then writes the file of --pin, if there is one. Prints that the file was not written after a failure, as there
   * may be one of an earlier run.
   *
   * @throws what `verify` throws; TsignError "policy" if an image of the file is not verified
   */
  readonly pinAfter: (verify: () => Promise<void>) => Promise<void>;
}

interface Source {
  readonly content: Uint8Array;
  readonly options: ImageSourceOptions;
  readonly read: ReadImages;
}

/**
 * Reads the images of a command line: its arguments, then those of each --from file. Images of files that have the same
 * repository and tag or digest are returned once, so that a tag is resolved once.
 *
 * @throws TsignError "usage" without any image, or for credentials that would be sent to several registries; "input" and "limit" for files that cannot be read (with the line)
 */
export async function readImageInputs(
  io: Io,
  args: readonly string[],
  flags: SourceFlags & CredentialFlags & Partial<FlagValues<typeof pinFlags> & { checkClaims: boolean; to: string }>,
): Promise<ImageInputs> {
  const { pin = "" } = flags;
  await requirePinnable(io, { ...flags, pin });
  const sources: Source[] = [];
  for (const path of flags.from) sources.push(await readSource(io, path, flags.fromFormat));
  const images = new Map<string, string>();
  const named = sources.flatMap(({ read }) => read.images.map(({ image }) => image));
  if (sources.length > 0) {
    const { to = "" } = flags;
    const destination = to === "" ? [] : [targetBelow(to, "any").name];
    requireOneRegistry([...args, ...named, ...destination], { path: flags.from.join(", "), flags });
  }
  // A repeated argument is verified as often as it is given, as in cosign.
  const all = named.length === 0 ? args : uniqueImages([...args, ...named], images);
  const digests = new Map<string, Digest>();
  const writePinned = async () => {
    const [source] = sources;
    if (pin === "" || !source) return;
    const digestOf = (image: string) => digests.get(images.get(keyOf(image)) ?? image) ?? unverified(image, pin);
    for (const { image } of source.read.images) digestOf(image); // also of images that are named by digest
    await io.files.replace(pin, pinImages(source.content, { ...source, digestOf }), { mode: 0o644 });
    io.stderr.write(`Wrote ${printable(source.options.path)} with verified digests to ${pin}\n`);
  };
  const pinAfter = async (verify: () => Promise<void>) => {
    try {
      await verify();
    } catch (error) {
      if (pin !== "") io.stderr.write(`WARNING: ${pin} was not written: not every image verified\n`);
      throw error;
    }
    await writePinned();
  };
  return { images: all, setDigest: (image, digest) => digests.set(image, digest), pinAfter };
}

/**
 * Reads the images of one file, and prints its notices.
 *
 * @param path a file, a URL, or `-`
 * @throws TsignError "input" (with the line) and "limit"
 */
export async function readImageFile(
  io: Io,
  path: string,
  options: Omit<ImageSourceOptions, "path" | "env">,
): Promise<Source> {
  if (isArchive(path)) {
    throw new TsignError("input", `read ${path}: got an archive, want a file that names images`, {
      hint: "verify an archive with `tsign verify --local-image`, or push its images with `tsign load`",
    });
  }
  const content = await readBlob(io, path);
  const named = { ...options, path: path === "-" ? "standard input" : path, env: io.env };
  const read = readImages(content, named);
  for (const { image, line } of read.images) requireReference(image, `${named.path}:${line}`);
  for (const notice of read.notices) io.stderr.write(`${printable(notice)}\n`);
  return { content, options: named, read };
}

async function readSource(io: Io, path: string, format: SourceFlags["fromFormat"]): Promise<Source> {
  const source = await readImageFile(io, path, {
    format: format === "auto" ? undefined : format,
    ignoreFrontend: isDockersFrontend,
    platform: buildPlatform(io),
  });
  const { read, options } = source;
  const count = new Set(read.images.map(({ image }) => keyOf(image))).size;
  io.stderr.write(`${printable(options.path)}: ${count} ${count === 1 ? "image" : "images"} (${read.format})\n`);
  printFrontend(io, read);
  return source;
}

/** Prints the frontend of a Dockerfile, and whether it is verified. */
export function printFrontend(io: Pick<Io, "stderr">, { frontend, images }: ReadImages, skip = ""): void {
  if (frontend === undefined) return;
  const isVerified = images.some(({ image }) => image === frontend);
  io.stderr.write(
    isVerified
      ? `- build frontend, from the syntax line: ${printable(frontend)}${skip}\n`
      : `WARNING: the build frontend ${printable(frontend)} is not verified\n`,
  );
}

/** Architectures as images name them, by Node's names. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386", arm: "arm/v7" };

/** The platform that images are built for by default. Dockerfiles are built in a Linux virtual machine on other systems. */
export function buildPlatform(io: Io): string {
  return `linux/${ARCHITECTURES[io.platform.arch] ?? io.platform.arch}`;
}

/**
 * Refuses --pin for more than one file, and an output that is not a file.
 *
 * @throws TsignError "usage" or "input"
 */
async function requirePinnable(
  io: Io,
  { from, pin, checkClaims }: { from: readonly string[]; pin: string; checkClaims?: boolean },
): Promise<void> {
  if (pin === "") return;
  if (checkClaims === false) throw new TsignError("usage", "--pin and --check-claims=false cannot be used together");
  if (from.length === 0) throw new TsignError("usage", "--pin requires --from");
  if (from.length > 1) throw new TsignError("usage", `--pin requires one --from file, found ${from.length}`);
  const kind = pin === "-" ? "standard output" : (await io.files.stat(pin))?.kind;
  if (kind === undefined || kind === "file") return;
  throw new TsignError("input", `write ${pin}: it is not a regular file`, { hint: "pass the path of a file to --pin" });
}

function requireReference(image: string, where: string): void {
  try {
    parseReference(image);
  } catch (error) {
    throw error instanceof TsignError ? withMessage(error, `${where}: ${error.message}`) : error;
  }
}

/** The images without those that name the same tag or digest as one before them. */
function uniqueImages(all: readonly string[], byKey: Map<string, string>): string[] {
  for (const image of all) if (!byKey.has(keyOf(image))) byKey.set(keyOf(image), image);
  return [...byKey.values()];
}

/** The full name of a reference; an invalid one, which is refused later, as it is. */
function keyOf(image: string): string {
  try {
    return formatReference(parseReference(image));
  } catch {
    return image;
  }
}

/** A trust policy may let an image through that is not verified. */
function unverified(image: string, pin: string): never {
  throw new TsignError("policy", `write ${pin}: ${image} was accepted without being verified`, {
    hint: "sign the image as the trust policy demands, or leave out --pin",
  });
}
