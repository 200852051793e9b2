import { forEachImage } from "../cli/each-image.ts";
import { recordRemoved } from "../cli/effects.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { openAttachments, resolveImage } from "../cli/options/images.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { printDone } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { findReferrersOf, type ReferrerKind, removeReferrersOf, removeTag } from "../evidence/remove.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { confirm } from "../io/prompt.ts";
import { type AttachmentKind, attachmentTag } from "../oci/tags.ts";
import type { ImageStore } from "../oci/types.ts";
import type definition from "./clean.ts";

export const run: Run<typeof definition> = async (io, { args, flags }) => {
  const { images } = await readImageInputs(io, args, flags);
  await forEachImage(io, images, (text) => cleanImage(io, text, flags));
};

async function cleanImage(io: Io, text: string, flags: FlagValues<typeof definition.flags>): Promise<void> {
  const image = await resolveImage(io, {
    text,
    flags,
    mustExist: false, // the signatures of a deleted image can be removed by its digest
    warnAboutTags: false,
  });
  if (!flags.force)
    await confirm(io, {
      assumeYes: false,
      warning: `this removes from ${text}: ${NAMES[flags.type]}`,
      instead: "pass --force to skip the question",
    });
  const store = await openAttachments(io, image, flags);
  let failed: TsignError | undefined;
  let count = 0;
  const printRemoved = (where: string) => {
    count++;
    recordRemoved(io, where);
    printDone(io, `Removed ${where} from ${text}`);
  };
  const attempt = async (remove: () => Promise<readonly string[]>) => {
    try {
      (await remove()).forEach(printRemoved);
    } catch (error) {
      if (!(error instanceof TsignError) || error.code === "cancelled") throw error;
      io.stderr.write(`could not delete: ${error.message}\n`);
      failed ??= error;
    }
  };
  for (const kind of TAGS[flags.type]) {
    const tag = attachmentTag(image.digest, kind, flags.attachmentTagPrefix);
    await attempt(async () => ((await removeTag(io, store, tag, image.digest)) ? [`${store.name}:${tag}`] : []));
  }
  const kinds = REFERRERS[flags.type];
  if (kinds.length === 0) await warnAboutReferrers(io, store, image.digest);
  else {
    await attempt(async () => {
      const { removed, kept, failure } = await removeReferrersOf(io, store, image.digest, kinds);
      for (const digest of removed) printRemoved(`${store.name}@${digest}`);
      if (kept.length > 0) {
        io.stderr.write(
          `WARNING: the registry does not delete manifests: still stored, but no longer listed as referrers: ${kept.length}\n`,
        );
      }
      if (failure) throw failure;
      return [];
    });
  }
  if (count === 0 && !failed) io.stderr.write(`Nothing to remove from ${text}\n`);
  if (failed) throw new TsignError(failed.code, `not everything could be removed from ${text}`);
}

type CleanType = "signature" | "attestation" | "referrer" | "sbom" | "all";

const TAGS: Readonly<Record<CleanType, readonly AttachmentKind[]>> = {
  signature: ["sig"],
  attestation: ["att"],
  sbom: ["sbom"],
  referrer: [],
  all: ["sig", "att", "sbom"],
};

const REFERRERS: Readonly<Record<CleanType, readonly ReferrerKind[]>> = {
  signature: [],
  attestation: [],
  sbom: ["sbom"],
  referrer: ["signature"],
  all: ["signature", "sbom"],
};

const NAMES: Readonly<Record<CleanType, string>> = {
  signature: "signatures stored by tag",
  attestation: "attestations stored by tag",
  sbom: "unsigned SBOMs",
  referrer: "bundles that refer to it",
  all: "signatures, attestations and SBOMs, stored by tag or as bundles",
};

/** Warns of bundles that remain when signatures stored by tag are removed: the image is still signed. */
async function warnAboutReferrers(io: Io, store: ImageStore, image: Digest): Promise<void> {
  const { length } = await findReferrersOf(store, image, ["signature"]);
  if (length > 0) {
    io.stderr.write(`WARNING: ${length} bundle(s) still refer to the image; remove them with --type referrer\n`);
  }
}
