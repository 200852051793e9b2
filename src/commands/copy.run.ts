import { recordStored } from "../cli/effects.ts";
import { registryOptions } from "../cli/flags/registry.ts";
import { openAttachments, resolveImage } from "../cli/options/images.ts";
import type { Run } from "../cli/parser/define.ts";
import { watchedTransfer } from "../cli/print/progress.ts";
import { countOf, printDone } from "../cli/print/stored.ts";
import { lookOf, shortDigests } from "../cli/print/style.ts";
import { TsignError } from "../errors.ts";
import type { Attached } from "../evidence/find/attached.ts";
import type { Digest } from "../format/digest.ts";
import { imageForPlatform } from "../images/platform.ts";
import { findImageTree } from "../images/tree.ts";
import type { Io } from "../io/io.ts";
import { openRegistry } from "../oci/open.ts";
import { inParallel } from "../oci/parallel.ts";
import { parseReference, type Reference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import { transferManifest } from "../oci/transfer.ts";
import type { Descriptor, ImageStore, UnlistedReferrers } from "../oci/types.ts";
import type definition from "./copy.ts";

export const run: Run<typeof definition> = async (io, { args: [from = "", to = ""], flags }) => {
  const only = readOnly(flags);
  const target = parseReference(to);
  const source = await resolveImage(io, {
    text: from,
    flags,
    mustExist: true,
    warnAboutTags: false,
  });
  const root =
    flags.platform === "" ? source.digest : await imageForPlatform(source.store, source.digest, flags.platform);
  const attachments = await openAttachments(io, source, flags);
  const tagPrefix = flags.attachmentTagPrefix;
  const tree = await findImageTree({ images: source.store, attachments }, root, { tagPrefix });
  const attached = tree.attached.filter(({ kind }) => only === undefined || only.has(kind));
  const destination = await openRegistry(io, target, registryOptions(flags));
  const tags = [...attached.flatMap((each) => tagOf(each, tagPrefix)), ...imageTag(target, root, only)];
  requireSame(target, root, only);
  if (!flags.force) await refuseOther(destination, tags);
  const onManifest = (store: ImageStore) => (manifest: Descriptor) =>
    printCopying(io, store, { manifest, destination });
  const watch = watchedTransfer(io, "copying");
  await transferManifest({ from: source.store, to: destination, onManifest: onManifest(source.store), watch }, root);
  const unlisted: UnlistedReferrers = new Map();
  const move = { from: attachments, to: destination, onManifest: onManifest(attachments), unlisted, watch };
  await inParallel(attached, WORKERS, ({ digest, tagged }) => transferManifest(move, digest, { referrer: !tagged }));
  await destination.listReferrers(unlisted);
  for (const each of tags) await setTag(destination, each);
  recordStored(io, { kind: "image", where: `${destination.name}@${root}`, logEntries: [] });
  printDone(io, `Copied to ${destination.name}@${root} with ${countOf(attached.length, "attachment")}`);
};

/** Attachments copied at a time. */
const WORKERS = 8;

/** A tag to set at the destination. */
interface Tagging {
  readonly tag: string;
  readonly digest: Digest;
}

/** The kinds to copy; undefined for everything, the destination's tag included. */
function readOnly(flags: { only: readonly string[]; sigOnly: boolean }): ReadonlySet<string> | undefined {
  const only = new Set([...flags.only, ...(flags.sigOnly ? ["sig"] : [])]);
  return only.size > 0 ? only : undefined;
}

function tagOf({ kind, subject, digest, tagged }: Attached, prefix: string): Tagging[] {
  return tagged && kind !== "other" ? [{ tag: attachmentTag(subject, kind, prefix), digest }] : [];
}

function imageTag(target: Reference, digest: Digest, only: ReadonlySet<string> | undefined): Tagging[] {
  return only === undefined && !target.digest ? [{ tag: target.identifier, digest }] : [];
}

function requireSame(target: Reference, root: Digest, only: ReadonlySet<string> | undefined): void {
  if (!target.digest || target.digest === root || only) return;
  throw new TsignError(
    "input",
    `digest mismatch: got ${root} from the source, want ${target.digest} at the destination`,
    {
      hint: "name the destination by tag",
    },
  );
}

/** Refuses to move tags that exist, before anything is copied. */
async function refuseOther(destination: ImageStore, tags: readonly Tagging[]): Promise<void> {
  await inParallel(tags, WORKERS, async ({ tag, digest }) => {
    const there = await existingTag(destination, tag);
    if (!there || there.digest === digest) return;
    throw new TsignError("input", `image "${destination.name}:${tag}" already exists`, {
      hint: "replace it with --force, or add the signatures with `tsign save` and `tsign load`",
    });
  });
}

/** Resolves a tag. Some registries refuse a tag that does not exist: it is taken for absent if the list of tags lacks it. */
async function existingTag(store: ImageStore, tag: string): Promise<Descriptor | undefined> {
  try {
    return await store.resolve(tag);
  } catch (error) {
    if (!(error instanceof TsignError) || (error.code !== "auth" && error.code !== "registry")) throw error;
    if ((await store.tags()).includes(tag)) throw error;
    return undefined;
  }
}

function printCopying(
  io: Io,
  from: ImageStore,
  { manifest, destination }: { manifest: Descriptor; destination: ImageStore },
) {
  const { digest } = manifest;
  const text = `Copying ${from.name}@${digest} to ${destination.name}@${digest}...\n`;
  io.stderr.write(shortDigests(text, lookOf(io, "stderr")));
}

async function setTag(store: ImageStore, { tag, digest }: Tagging): Promise<void> {
  if ((await store.resolve(tag))?.digest === digest) return;
  const stored = await store.manifest(digest);
  if (!stored)
    throw new TsignError("registry", `copy ${store.name}@${digest}: not found at the destination afterwards`);
  await store.putManifest(stored.bytes, { mediaType: stored.descriptor.mediaType, tag });
}
