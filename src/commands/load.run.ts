import { recordStored } from "../cli/effects.ts";
import { registryOptions } from "../cli/flags/registry.ts";
import { openAttachments } from "../cli/options/images.ts";
import { describeRoot, printRoot, savedRootIn } from "../cli/options/saved-root.ts";
import type { Run } from "../cli/parser/define.ts";
import { requireFlag } from "../cli/parser/required.ts";
import { watchedTransfer } from "../cli/print/progress.ts";
import { countOf, printDone } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { mergeLayers } from "../evidence/legacy/merge.ts";
import type { Digest } from "../format/digest.ts";
import { openLocalImages } from "../images/local.ts";
import { type Place, placesOf } from "../images/places.ts";
import { findImageTree } from "../images/tree.ts";
import type { Io } from "../io/io.ts";
import { appendToTag } from "../oci/append.ts";
import { refuseOtherTags } from "../oci/existing-tag.ts";
import { isArchive } from "../oci/layout/archive-files.ts";
import type { LayoutImage } from "../oci/layout/image-entry.ts";
import type { LayoutReader } from "../oci/layout/reader.ts";
import { openRegistry } from "../oci/open.ts";
import { inParallel } from "../oci/parallel.ts";
import { parseReference, withDigest } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import { transferManifest } from "../oci/transfer.ts";
import type { ImageStore, UnlistedReferrers } from "../oci/types.ts";
import type definition from "./load.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  requireFlag(flags, "dir");
  const { path, layout, images } = await openLocalImages(io, flags.dir);
  const [first] = images;
  const named = /@|:[^/]*$/.test(text.replace(/^\[[^\]]*\]/, ""));
  const single = images.length === 1 && first && !flags.keepPaths && (named || !isArchive(path));
  if (named && !single) {
    throw new TsignError("usage", `${text} names one image, but ${path} contains ${images.length}`, {
      hint: `name a repository without a tag, or one image: --dir ${path}@${first?.descriptor.digest}`,
    });
  }
  const root = await savedRootIn(layout.files);
  const places = single
    ? [singlePlace(text, first, flags.dir)]
    : placesOf(images, { text, keepPaths: flags.keepPaths, path });
  const stores = new Map<string, ImageStore>();
  for (const { ref } of places) {
    if (!stores.has(ref.name)) stores.set(ref.name, await openRegistry(io, ref, registryOptions(flags)));
  }
  if (!single && !flags.force) await refuseOthers(places, stores);
  for (const place of places) await loadImage(io, { layout, place, store: storeOf(stores, place), flags });
  if (root) {
    const facts = await describeRoot(io, root, path);
    printRoot(io, facts, `The archive contains a trusted root; to verify with it, pass --trusted-root ${path}`);
  }
};

type LoadFlags = Parameters<Run<typeof definition>>[1]["flags"];

function singlePlace(text: string, { descriptor }: LayoutImage, dir: string): Place {
  const ref = parseReference(text);
  requireSame(ref.digest, descriptor.digest, dir);
  return { ref, image: descriptor, tags: ref.digest ? [] : [ref.identifier] };
}

function storeOf(stores: ReadonlyMap<string, ImageStore>, { ref }: Place): ImageStore {
  const store = stores.get(ref.name);
  if (!store) throw new TsignError("internal", `load: ${ref.name} is not open`);
  return store;
}

/** Refuses to move tags that exist, before anything is loaded. */
async function refuseOthers(places: readonly Place[], stores: ReadonlyMap<string, ImageStore>): Promise<void> {
  for (const place of places) {
    const tags = place.tags.map((tag) => ({ tag, digest: place.image.digest }));
    await refuseOtherTags(storeOf(stores, place), tags, "replace it with --force");
  }
}

/** Loads one image with everything attached to it. Its tags are written last. */
async function loadImage(
  io: Io,
  { layout, place, store, flags }: { layout: LayoutReader; place: Place; store: ImageStore; flags: LoadFlags },
): Promise<void> {
  const { ref, image, tags } = place;
  const tree = await findImageTree({ images: layout, attachments: layout }, image.digest, { tagPrefix: "" });
  const attachments = await openAttachments(io, { ref: withDigest(ref, image.digest), store }, flags);
  const watch = io.tty.stderr ? watchedTransfer(io, "loading") : undefined; // unwatched, files can be sent without being read
  const root = await transferManifest({ from: layout, to: store, watch }, image);
  const unlisted: UnlistedReferrers = new Map();
  const move = { from: layout, to: attachments, unlisted, watch };
  await inParallel(tree.attached, WORKERS, async (each) => {
    const { tagged, kind } = each;
    const stored = await transferManifest(move, each.digest, { referrer: !tagged });
    if (!tagged || kind === "other") return;
    const tag = attachmentTag(each.subject, kind, flags.attachmentTagPrefix);
    const merge = mergeLayers({ store: attachments, added: stored, exclusive: kind === "sbom" });
    await appendToTag({ io, store: attachments, tag, merge });
  });
  await attachments.listReferrers(unlisted);
  for (const tag of tags) await store.putManifest(root.bytes, { mediaType: root.descriptor.mediaType, tag });
  recordStored(io, { kind: "image", where: `${store.name}@${image.digest}`, logEntries: [] });
  printDone(io, `Loaded ${store.name}@${image.digest} with ${countOf(tree.attached.length, "attachment")}`);
}

/** Attachments copied at a time. */
const WORKERS = 8;

function requireSame(asked: Digest | undefined, saved: Digest, dir: string): void {
  if (asked === undefined || asked === saved) return;
  throw new TsignError("input", `digest mismatch for ${dir}: got ${saved}, want ${asked}`, {
    hint: "name the destination by tag, or by the saved digest",
  });
}
