import { runBatch } from "../cli/batch.ts";
import { recordStored } from "../cli/effects.ts";
import { registryOptions } from "../cli/flags/registry.ts";
import { trustPolicyFile } from "../cli/flags/trust-policy.ts";
import { type Copying, requireDistinct, targetBelow } from "../cli/options/copy-targets.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { openAttachments, resolveImage } from "../cli/options/images.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { watchedTransfer } from "../cli/print/progress.ts";
import { countOf, printDone } from "../cli/print/stored.ts";
import { lookOf, shortDigests } from "../cli/print/style.ts";
import type { Promotion } from "../cli/promotion.ts";
import { TsignError } from "../errors.ts";
import type { Attached } from "../evidence/find/attached.ts";
import type { Digest } from "../format/digest.ts";
import { isLocalName, localTarget } from "../images/local.ts";
import { imageForPlatform } from "../images/platform.ts";
import { findImageTree } from "../images/tree.ts";
import type { Io } from "../io/io.ts";
import { isTagged, refuseOtherTags, type Tagging } from "../oci/existing-tag.ts";
import { openRegistry } from "../oci/open.ts";
import { inParallel } from "../oci/parallel.ts";
import { parseReference, type Reference } from "../oci/ref.ts";
import { attachmentTag } from "../oci/tags.ts";
import { transferManifest } from "../oci/transfer.ts";
import type { Descriptor, ImageStore, UnlistedReferrers } from "../oci/types.ts";
import { VERSION } from "../version.ts";
import type definition from "./copy.ts";

export const run: Run<typeof definition> = async (io, { args, flags, given }) => {
  if (flags.from.length > 0 && flags.to === "") throw new TsignError("usage", "--from requires --to");
  const promotion = await openPromotion(io, flags, given);
  if (flags.to === "") {
    const [from = "", to = ""] = args;
    const target = parseReference(to);
    await copyImage(
      io,
      { text: from, source: await openSource(io, from, { flags, promotion }), target },
      { flags, promotion },
    );
    return;
  }
  const { images } = await readImageInputs(io, args, flags);
  if (images.length === 0) throw new TsignError("usage", "--to requires an image or --from");
  const targets = images.map((text) => ({ text, target: targetBelow(flags.to, text) }));
  const copies = await inParallel(targets, WORKERS, async ({ text, target }) => {
    return { text, target, source: await openSource(io, text, { flags, promotion }) };
  });
  requireDistinct(copies);
  await runBatch(io, copies, {
    done: "copied",
    label: "copying images",
    nameOf: ({ text }) => text,
    workers: COPIED_AT_A_TIME,
    goOn: true,
    advice: "To copy the others, run the command again: what is there already is not sent again.",
    work: async (own, copy) => {
      await copyImage(own, copy, { flags, promotion });
      return "done";
    },
  });
};

/** Images copied at a time. */
const COPIED_AT_A_TIME = 4;

type CopyFlags = FlagValues<typeof definition.flags>;

interface CopyOptions {
  readonly flags: CopyFlags;
  /** What decides on each image before it is copied; undefined without a trust policy. */
  readonly promotion: Promotion | undefined;
}

async function openPromotion(io: Io, flags: CopyFlags, given: ReadonlySet<string>): Promise<Promotion | undefined> {
  const file = trustPolicyFile(io, flags);
  if (file === undefined) {
    if (flags.attestDecision) throw new TsignError("usage", "--attest-decision requires --trust-policy");
    return undefined;
  }
  if (flags.platform !== "") {
    throw new TsignError("usage", "--platform and --trust-policy cannot be used together", {
      hint: "name the image of the platform by its digest; its own signatures are verified",
    });
  }
  const { Promotion } = await import("../cli/promotion.ts"); // loaded only for a trust policy
  return Promotion.open(io, { flags, given, file, version: VERSION.version });
}

async function copyImage(
  io: Io,
  { text, source, target }: Copying<Source>,
  { flags, promotion }: CopyOptions,
): Promise<void> {
  const promoted = await promotion?.decide(io, text);
  const only = readOnly(flags);
  const root =
    flags.platform === "" ? source.digest : await imageForPlatform(source.store, source.digest, flags.platform);
  const { attachments } = source;
  const tagPrefix = flags.attachmentTagPrefix;
  const tree = await findImageTree({ images: source.store, attachments }, root, {
    tagPrefix: isLocalName(text) ? "" : tagPrefix,
  });
  const attached = tree.attached.filter(({ kind }) => only === undefined || only.has(kind));
  const destination = await openRegistry(io, target, registryOptions(flags));
  const tags = [...attached.flatMap((each) => tagOf(each, tagPrefix)), ...imageTag(target, root, only)];
  requireSame(target, root, only);
  if (!flags.force) await refuseOtherTags(destination, tags, HINT); // before anything is copied
  const onManifest = (store: ImageStore) => (manifest: Descriptor) =>
    printCopying(io, store, { manifest, destination });
  const watch = watchedTransfer(io, "copying");
  await transferManifest({ from: source.store, to: destination, onManifest: onManifest(source.store), watch }, root);
  const unlisted: UnlistedReferrers = new Map();
  const move = { from: attachments, to: destination, onManifest: onManifest(attachments), unlisted, watch };
  await inParallel(attached, WORKERS, ({ digest, tagged }) => transferManifest(move, digest, { referrer: !tagged }));
  await destination.listReferrers(unlisted);
  for (const each of tags) await setTag(destination, each, flags);
  recordStored(io, { kind: "image", where: `${destination.name}@${root}`, logEntries: [] });
  printDone(io, `Copied to ${destination.name}@${root} with ${countOf(attached.length, "attachment")}`);
  // Last, so that no summary is found without what it is about.
  if (promoted) await promotion?.attest(io, promoted, { store: destination, digest: root });
}

interface Source {
  readonly store: ImageStore;
  readonly attachments: ImageStore;
  readonly digest: Digest;
}

/** Opens the image to copy: one in a registry, or, for a path or a name that ends in `.tar`, one in a folder or an archive. */
async function openSource(io: Io, text: string, { flags, promotion }: CopyOptions): Promise<Source> {
  if (promotion) {
    if (!isLocalName(text)) return promotion.open(io, text);
    throw new TsignError("usage", `--trust-policy requires an image in a registry, not ${text}`, {
      hint: "store it in a registry with `tsign load`, and copy it from there",
    });
  }
  if (isLocalName(text)) {
    const { store, attachments, digest } = await localTarget(io, text);
    return { store, attachments, digest };
  }
  const image = await resolveImage(io, { text, flags, mustExist: true, warnAboutTags: false });
  return { ...image, attachments: await openAttachments(io, image, flags) };
}

/** Attachments copied at a time. */
const WORKERS = 8;
const HINT = "replace it with --force, or add the signatures with `tsign save` and `tsign load`";

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

function printCopying(
  io: Io,
  from: ImageStore,
  { manifest, destination }: { manifest: Descriptor; destination: ImageStore },
) {
  const { digest } = manifest;
  const text = `Copying ${from.name}@${digest} to ${destination.name}@${digest}...\n`;
  io.stderr.write(shortDigests(text, lookOf(io, "stderr")));
}

/** Sets a tag. One that others have set to another digest since the start of the copy is refused without --force. */
async function setTag(store: ImageStore, tagging: Tagging, { force }: { force: boolean }): Promise<void> {
  if (await isTagged(store, tagging, force ? undefined : HINT)) return;
  const { tag, digest } = tagging;
  const stored = await store.manifest(digest);
  if (!stored)
    throw new TsignError("registry", `copy ${store.name}@${digest}: not found at the destination afterwards`);
  await store.putManifest(stored.bytes, { mediaType: stored.descriptor.mediaType, tag });
}
