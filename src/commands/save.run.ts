import { recordFile, recordImage } from "../cli/effects.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { openAttachments, resolveImage } from "../cli/options/images.ts";
import { printRoot, rootToSave, SAVED_ROOT, type SavedRoot } from "../cli/options/saved-root.ts";
import { flagName } from "../cli/parser/argv.ts";
import type { Run } from "../cli/parser/define.ts";
import { requireFlag } from "../cli/parser/required.ts";
import { progress, watchedTransfer } from "../cli/print/progress.ts";
import { countOf, printDone } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import type { Attached } from "../evidence/find/attached.ts";
import type { Digest } from "../format/digest.ts";
import type { RegistryImage } from "../images/open.ts";
import { archiveParts, type ImageToSave, imageToSave, needsTrustedRoot } from "../images/save-archive.ts";
import { findImageTree } from "../images/tree.ts";
import type { Io } from "../io/io.ts";
import { isArchive } from "../oci/layout/archive-files.ts";
import { formerImages } from "../oci/layout/former.ts";
import { createLayout, type EntryName, type LayoutEntry } from "../oci/layout/layout.ts";
import { archiveOf } from "../oci/layout/write-archive.ts";
import { inParallel } from "../oci/parallel.ts";
import { formatReference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import { transferManifest } from "../oci/transfer.ts";
import type { Descriptor, StoredManifest } from "../oci/types.ts";
import type definition from "./save.ts";

export const run: Run<typeof definition> = async (io, { args, flags, given }) => {
  requireFlag(flags, "dir");
  const { images } = await readImageInputs(io, args, flags);
  if (isArchive(flags.dir)) {
    await saveArchive(io, images, flags);
    return;
  }
  const unused = (["trustedRoot", "includeTrustedRoot"] as const).find((name) => given.has(name));
  if (unused) {
    throw new TsignError("usage", `--${flagName(unused)} requires an archive`, {
      hint: "save to an archive: pass --dir NAME.tar",
    });
  }
  const [text = "", ...more] = images;
  if (more.length > 0) await saveFolderOfSeveral(io, images, flags);
  else await saveFolder(io, text, flags);
};

type SaveFlags = Parameters<Run<typeof definition>>[1]["flags"];

async function saveFolder(io: Io, text: string, flags: SaveFlags): Promise<void> {
  const image = await resolveImage(io, {
    text,
    flags,
    mustExist: true,
    warnAboutTags: false,
  });
  await warnOfFormer(io, flags.dir, [image.digest]);
  const attachments = await openAttachments(io, image, flags);
  const tree = await findImageTree({ images: image.store, attachments }, image.digest, {
    tagPrefix: flags.attachmentTagPrefix,
  });
  const layout = await createLayout(io, flags.dir);
  const watch = watchedTransfer(io, "saving");
  const root = await transferManifest({ from: image.store, to: layout, thorough: true, watch }, tree.root);
  const entries: LayoutEntry[] = [{ descriptor: asListed(root), name: { kind: kindOf(root) } }];
  const line = progress(io, "saving attachments", { total: tree.attached.length, unit: "items" });
  for (const [index, each] of tree.attached.entries()) {
    line.update(index);
    const stored = await transferManifest({ from: attachments, to: layout, thorough: true }, each.digest);
    if (each.tagged) entries.push({ descriptor: asListed(stored), name: nameOf(each, tree.root) });
  }
  line.end();
  await layout.commit(entries.sort((a, b) => order(a) - order(b)));
  const attached = countOf(tree.attached.length, "attachment");
  recordFile(io, flags.dir);
  recordSaved(io, image);
  printDone(io, `Saved ${image.ref.name}@${image.digest} with ${attached} to ${flags.dir}`);
}

/** Warns of images that were saved to the folder before and are not saved again. */
async function warnOfFormer(io: Io, dir: string, digests: readonly Digest[]): Promise<void> {
  for (const each of await formerImages(io, dir)) {
    if (!digests.includes(each)) io.stderr.write(`WARNING: replacing ${each} in ${dir}/index.json\n`);
  }
}

/** Saves images to a folder, with the names that they have in an archive. The folder lists them when it is complete. */
async function saveFolderOfSeveral(io: Io, texts: readonly string[], flags: SaveFlags): Promise<void> {
  const images = await inParallel(texts, WORKERS, (text) => findImage(io, text, flags));
  await warnOfFormer(
    io,
    flags.dir,
    images.map(({ image }) => image.digest),
  );
  const parts = archiveParts(images);
  const layout = await createLayout(io, flags.dir);
  const watch = watchedTransfer(io, "saving");
  const entries: LayoutEntry[] = [];
  for (const { from, digest, names, isImage } of parts) {
    const stored = await transferManifest({ from, to: layout, thorough: true, watch }, digest);
    const kind = isImage ? { kind: kindOf(stored) } : {};
    for (const tag of names) entries.push({ descriptor: asListed(stored), name: { ...kind, tag } });
  }
  await layout.commit(entries);
  recordFile(io, flags.dir);
  for (const each of images) printSaved(io, each, flags.dir);
}

/** Saves images to an archive, which replaces an older one when it is complete. */
async function saveArchive(io: Io, texts: readonly string[], flags: SaveFlags): Promise<void> {
  const former = await formerImages(io, flags.dir);
  await io.files.requireWritable(flags.dir);
  const images = await inParallel(texts, WORKERS, (text) => findImage(io, text, flags));
  const digests = new Set(images.map(({ image }) => image.digest));
  for (const digest of former.filter((each) => !digests.has(each))) {
    io.stderr.write(`WARNING: replacing ${flags.dir}, which contains ${digest}\n`);
  }
  let needsRoot = flags.trustedRoot !== "";
  let root: SavedRoot | undefined;
  const pieces = archiveOf({
    parts: archiveParts(images),
    onContent(content, bytes) {
      needsRoot ||= flags.includeTrustedRoot && needsTrustedRoot(content, bytes);
    },
    async extraFiles() {
      root = needsRoot ? await rootToSave(io, flags.trustedRoot) : undefined;
      return root ? [{ name: SAVED_ROOT, bytes: root.bytes }] : [];
    },
    watch: watchedTransfer(io, "saving"),
  });
  await io.files.replace(flags.dir, pieces, { mode: 0o644 });
  recordFile(io, flags.dir);
  for (const each of images) printSaved(io, each, flags.dir);
  if (root) printRoot(io, root, `Saved the trusted root to ${flags.dir}`);
}

function printSaved(io: Io, { image, attached }: ImageToSave, dir: string): void {
  recordSaved(io, image);
  printDone(io, `Saved ${formatReference(image.ref)} with ${countOf(attached.length, "attachment")} to ${dir}`);
}

function recordSaved(io: Io, { ref, digest }: Pick<RegistryImage, "ref" | "digest">): void {
  recordImage(io, { image: `${ref.name}@${digest}`, state: "saved" });
}

/** Images looked up at a time. */
const WORKERS = 4;

async function findImage(io: Io, text: string, flags: SaveFlags): Promise<ImageToSave> {
  const image = await resolveImage(io, { text, flags, mustExist: true, warnAboutTags: false });
  const attachments = await openAttachments(io, image, flags);
  return imageToSave(image, attachments, { tagPrefix: flags.attachmentTagPrefix });
}

function kindOf({ manifest }: StoredManifest): "image" | "imageIndex" {
  return manifest.manifests ? "imageIndex" : "image";
}

/** Names an attachment as cosign does: by its kind if it belongs to the image itself, else by its tag. */
function nameOf({ kind, subject }: Attached, root: Digest): EntryName {
  if (subject === root && kind === "sig") return { kind: "sigs" };
  if (subject === root && kind === "att") return { kind: "atts" };
  return { tag: attachmentTag(subject, kind === "other" ? "sbom" : kind) };
}

/** Returns the descriptor as go-containerregistry lists it: with the media type of the config as artifact type. */
function asListed({ descriptor, manifest }: StoredManifest): Descriptor {
  const artifactType = manifest.manifests ? undefined : manifest.config?.mediaType;
  return artifactType ? { ...descriptor, artifactType } : descriptor;
}

const ORDER = ["image", "imageIndex", "sigs", "atts"];

function order({ name: { kind } }: LayoutEntry): number {
  return kind === undefined ? ORDER.length : ORDER.indexOf(kind);
}
