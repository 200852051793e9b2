import { recordFile } from "../cli/effects.ts";
import { openAttachments, resolveImage } from "../cli/options/images.ts";
import type { Run } from "../cli/parser/define.ts";
import { requireFlag } from "../cli/parser/required.ts";
import { progress, watchedTransfer } from "../cli/print/progress.ts";
import { countOf, printDone } from "../cli/print/stored.ts";
import type { Attached } from "../evidence/find/attached.ts";
import type { Digest } from "../format/digest.ts";
import { findImageTree } from "../images/tree.ts";
import { formerImage } from "../oci/layout/former.ts";
import { createLayout, type EntryName } from "../oci/layout/layout.ts";
import { attachmentTag } from "../oci/tags.ts";
import { transferManifest } from "../oci/transfer.ts";
import type { Descriptor, StoredManifest } from "../oci/types.ts";
import type definition from "./save.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  requireFlag(flags, "dir");
  const image = await resolveImage(io, {
    text,
    flags,
    mustExist: true,
    warnAboutTags: false,
  });
  const former = await formerImage(io, flags.dir);
  if (former !== undefined && former !== image.digest) {
    io.stderr.write(`WARNING: replacing ${former} in ${flags.dir}/index.json\n`);
  }
  const attachments = await openAttachments(io, image, flags);
  const tree = await findImageTree({ images: image.store, attachments }, image.digest, {
    tagPrefix: flags.attachmentTagPrefix,
  });
  const layout = await createLayout(io, flags.dir);
  const watch = watchedTransfer(io, "saving");
  const root = await transferManifest({ from: image.store, to: layout, thorough: true, watch }, tree.root);
  const entries: Entry[] = [imageEntry(root)];
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
  printDone(io, `Saved ${image.ref.name}@${image.digest} with ${attached} to ${flags.dir}`);
};

interface Entry {
  readonly descriptor: Descriptor;
  readonly name: EntryName;
}

function imageEntry(stored: StoredManifest): Entry {
  return { descriptor: asListed(stored), name: { kind: stored.manifest.manifests ? "imageIndex" : "image" } };
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

function order({ name }: Entry): number {
  return "kind" in name ? ORDER.indexOf(name.kind) : ORDER.length;
}
