import { recordStored } from "../cli/effects.ts";
import { registryOptions } from "../cli/flags/registry.ts";
import { openAttachments } from "../cli/options/images.ts";
import type { Run } from "../cli/parser/define.ts";
import { requireFlag } from "../cli/parser/required.ts";
import { watchedTransfer } from "../cli/print/progress.ts";
import { countOf, printDone } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { mergeLayers } from "../evidence/legacy/merge.ts";
import type { Digest } from "../format/digest.ts";
import { findImageTree } from "../images/tree.ts";
import { appendToTag } from "../oci/append.ts";
import { openLayout } from "../oci/layout/layout.ts";
import { openRegistry } from "../oci/open.ts";
import { inParallel } from "../oci/parallel.ts";
import { parseReference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import { transferManifest } from "../oci/transfer.ts";
import type { UnlistedReferrers } from "../oci/types.ts";
import type definition from "./load.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  requireFlag(flags, "dir");
  const ref = parseReference(text);
  const layout = await openLayout(io, flags.dir);
  const image = await layout.image();
  requireSame(ref.digest, image.digest, flags.dir);
  const tree = await findImageTree({ images: layout, attachments: layout }, image.digest, { tagPrefix: "" });
  const store = await openRegistry(io, ref, registryOptions(flags));
  const attachments = await openAttachments(io, { ref, store }, flags);
  const watch = watchedTransfer(io, "loading");
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
  if (!ref.digest) {
    await store.putManifest(root.bytes, { mediaType: root.descriptor.mediaType, tag: ref.identifier });
  }
  recordStored(io, { kind: "image", where: `${store.name}@${image.digest}`, logEntries: [] });
  printDone(io, `Loaded ${store.name}@${image.digest} with ${countOf(tree.attached.length, "attachment")}`);
};

/** Attachments copied at a time. */
const WORKERS = 8;

function requireSame(asked: Digest | undefined, saved: Digest, dir: string): void {
  if (asked === undefined || asked === saved) return;
  throw new TsignError("input", `digest mismatch for ${dir}: got ${saved}, want ${asked}`, {
    hint: "name the destination by tag, or by the saved digest",
  });
}
