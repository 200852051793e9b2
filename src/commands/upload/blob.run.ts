import { recordStored } from "../../cli/effects.ts";
import { registryOptions } from "../../cli/flags/registry.ts";
import { parseAnnotations } from "../../cli/options/annotations.ts";
import { readFileFacts, uploadFile } from "../../cli/options/upload.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { putArtifact, putIndex } from "../../oci/artifact.ts";
import { openRegistry } from "../../oci/open.ts";
import { formatReference, parseReference, type Reference } from "../../oci/ref.ts";
import type { Descriptor, ImageStore } from "../../oci/types.ts";
import type definition from "./blob.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  if (flags.files.length === 0) throw new TsignError("usage", "no file to upload", { hint: "pass one with --files" });
  const files = await Promise.all(flags.files.map((each) => readFileFlag(io, each)));
  if (files.length > 1) requirePlatforms(files);
  const annotations = parseAnnotations(flags.annotation);
  const ref = parseReference(text);
  const known = await Promise.all(files.map(({ path }) => readFileFacts(io, path)));
  const store = await openRegistry(io, ref, registryOptions(flags));
  const images: Descriptor[] = [];
  for (const file of known) {
    const mediaType = flags.ct || file.mediaType;
    io.stderr.write(`Uploading file from [${file.path}] to [${formatReference(ref)}] with media type [${mediaType}]\n`);
    const layer = await uploadFile(io, store, file, mediaType);
    io.stderr.write(`File [${file.path}] is available directly at [${blobAddress(ref, layer)}]\n`);
    images.push(await putArtifact(store, { layer, annotations }, files.length === 1 ? tagOf(ref) : undefined));
  }
  if (images.length > 1) await finishIndex(io, { store, ref, images, files, annotations });
  else finishOne(io, ref, images[0]);
};

/** A file and its platform: `path[:os[/architecture[/variant]]]`. */
interface PlatformFile {
  readonly path: string;
  readonly platform: Readonly<Record<string, string>> | undefined;
}

/** Splits a value at its last colon into path and platform, unless a file has the whole value as its name. */
async function readFileFlag(io: Pick<Io, "files">, text: string): Promise<PlatformFile> {
  const colon = text.lastIndexOf(":");
  if (colon < 0 || (await io.files.stat(text))) return { path: text, platform: undefined };
  const [os = "", architecture = "", variant = ""] = text.slice(colon + 1).split("/");
  return { path: text.slice(0, colon), platform: { architecture, os, ...(variant === "" ? {} : { variant }) } };
}

function requirePlatforms(files: readonly PlatformFile[]): void {
  const seen = new Set<string>();
  for (const { path, platform } of files) {
    const name = JSON.stringify(platform);
    if (platform && !seen.has(name)) seen.add(name);
    else {
      const reason = platform ? `another file has the platform of ${path}` : `${path} had no platform`;
      throw new TsignError("usage", `each file must include a unique platform, ${reason}`, {
        hint: `pass -f ${path}:linux/amd64`,
      });
    }
  }
}

function blobAddress(ref: Reference, layer: Descriptor): string {
  return `${ref.registry}/v2/${ref.repository}/blobs/${layer.digest}`;
}

function tagOf(ref: Reference): string | undefined {
  return ref.digest ? undefined : ref.identifier;
}

function finishOne(io: Io, ref: Reference, image: Descriptor | undefined): void {
  if (!image) return;
  requireSame(ref, image);
  recordStored(io, { kind: "image", where: `${ref.name}@${image.digest}`, logEntries: [] });
  io.stderr.write("Uploaded image to:\n");
  io.stdout.write(`${ref.name}@${image.digest}\n`);
}

async function finishIndex(
  io: Io,
  made: {
    store: ImageStore;
    ref: Reference;
    images: readonly Descriptor[];
    files: readonly PlatformFile[];
    annotations: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { store, ref, files, annotations } = made;
  const images = made.images.map((descriptor, index) => ({ descriptor, platform: files[index]?.platform ?? {} }));
  const index = await putIndex(store, { images, annotations }, tagOf(ref));
  requireSame(ref, index);
  recordStored(io, { kind: "index", where: `${ref.name}@${index.digest}`, logEntries: [] });
  io.stderr.write(`Uploading multi-platform index to ${ref.name}@${index.digest}\n`);
}

function requireSame(ref: Reference, stored: Descriptor): void {
  if (ref.digest === undefined || ref.digest === stored.digest) return;
  throw new TsignError("input", `digest mismatch: got ${stored.digest} from the upload, want ${ref.digest}`, {
    hint: "name the destination by tag",
  });
}
