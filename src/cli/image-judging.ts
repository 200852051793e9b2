import { TsignError } from "../errors.ts";
import { findEvidence } from "../evidence/find/find.ts";
import type { Evidence, Found, Unreadable } from "../evidence/model.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { openLayout } from "../oci/layout/layout.ts";
import { formatReference } from "../oci/ref.ts";
import type { ImageStore } from "../oci/types.ts";
import type { Verdict, Verified } from "../verify/verify.ts";
import { Judging } from "./candidates.ts";
import type { registryFlags } from "./flags/registry.ts";
import { openAttachments, resolveImage } from "./images.ts";
import type { FlagValues } from "./parser/define.ts";
import { progress } from "./print/progress.ts";
import { missedPlaces } from "./print/reading.ts";
import { type Failure, printFailures } from "./print/verified.ts";

/** An image to verify, wherever it lies. */
export interface Target {
  /** As the header names it. */
  readonly name: string;
  readonly reference: string;
  readonly digest: Digest;
  readonly store: ImageStore;
  /** Where its signatures and attestations are. */
  readonly attached: ImageStore;
  readonly repository: string;
}

/** The flags that say where an image and what is attached to it are. */
export type PlaceFlags = FlagValues<typeof registryFlags> & {
  readonly attachment: string;
  readonly attachmentTagPrefix: string;
  readonly localImage: boolean;
  readonly maxWorkers: number;
  readonly newBundleFormat: boolean;
};

/**
 * Verifies images one after another, all of them, also after one has failed: what a command says of an image must not depend
 * on those named before it.
 *
 * @param images references, or folders with --local-image
 * @throws the first failure, once all are judged
 */
export async function verifyEach(
  io: Io,
  images: readonly string[],
  verifyImage: (text: string) => Promise<void>,
): Promise<void> {
  let firstFailure: unknown;
  const line = progress(io, "verifying images", { total: images.length, unit: "items" });
  for (const [index, text] of images.entries()) {
    line.update(index);
    try {
      await verifyImage(text);
    } catch (error) {
      if (images.length > 1 && error instanceof TsignError && !io.signal.aborted) {
        io.stderr.write(error.message.includes(text) ? `${error.message}\n` : `${text}: ${error.message}\n`);
      }
      firstFailure ??= error;
    }
  }
  line.end();
  if (firstFailure) throw firstFailure;
}

/** @throws TsignError "image-not-found" for a tag that is not there, and with `mustExist` for a digest */
export async function openTarget(
  io: Io,
  text: string,
  { flags, mustExist }: { flags: PlaceFlags; mustExist: boolean },
): Promise<Target> {
  if (flags.localImage) {
    if (flags.attachment !== "") io.stderr.write("WARNING: --attachment has no effect with --local-image\n");
    const layout = await openLayout(io, text);
    const image = await layout.image();
    const repository = image.annotations?.["org.opencontainers.image.ref.name"] ?? "";
    return { name: text, reference: text, digest: image.digest, store: layout, attached: layout, repository };
  }
  const image = await resolveImage(io, { text, flags, mustExist, warnAboutTags: false });
  const { ref, store, digest, attachedTo } = image;
  const attached = await openAttachments(io, { ref, store }, flags);
  const reference = attachedTo === undefined ? formatReference(ref) : `${ref.name}@${digest}`;
  const name =
    attachedTo === undefined ? reference : `${reference} (the ${flags.attachment} attached to ${attachedTo})`;
  return { name, reference, digest, store, attached, repository: ref.name };
}

/**
 * What is stored with an image.
 *
 * @param options.attachment the tag that legacy ones are in: `sig` or `att`
 * @param options.forms both, unless --new-bundle-format=false leaves bundles out
 */
export function storedWith(
  io: Io,
  target: Pick<Target, "attached" | "digest">,
  options: {
    flags: PlaceFlags;
    attachment: "sig" | "att";
    forms?: { readonly legacy: boolean; readonly bundle: boolean };
  },
): AsyncGenerator<Found, void, undefined> {
  const { flags, attachment, forms = { legacy: true, bundle: flags.newBundleFormat } } = options;
  return findEvidence(target.attached, {
    subject: target.digest,
    forms,
    attachment,
    tagPrefix: flags.attachmentTagPrefix,
    maxBytes: maxAttachmentSize(io.env),
    workers: flags.maxWorkers,
  });
}

/** What became of an image's candidates. */
export interface Judged {
  /** Of those that were judged. */
  readonly count: number;
  readonly verified: readonly Verified[];
  readonly failures: readonly Failure[];
}

/**
 * Judges candidates one by one as they are found. Where none verifies, says on stderr why not.
 *
 * @param options.counts whether a candidate is what is looked for; others are passed over
 * @throws TsignError where none verified and a place could not be looked through or a defect of tsign stood in the way
 */
export async function judgeFound(
  io: Io,
  found: AsyncIterable<Found>,
  options: {
    counts: (candidate: Evidence | Unreadable) => boolean;
    judge: (candidate: Evidence) => Promise<Verdict>;
  },
): Promise<Judged> {
  const judging = new Judging(io, options.judge);
  const missed = missedPlaces(io);
  for await (const candidate of found) {
    if ("incomplete" in candidate) missed.add(candidate);
    else if (options.counts(candidate)) await judging.add(candidate);
  }
  const { count, verified, failures } = judging;
  if (verified.length === 0) {
    printFailures(io.stderr, failures);
    judging.requireNoDefect();
    missed.requireNone();
  } else missed.warn();
  return { count, verified, failures };
}

/** Says which candidates failed beside those that verified. */
export function printNotCounted(io: Pick<Io, "stderr">, failures: readonly Failure[]): void {
  if (failures.length === 0) return;
  io.stderr.write("Found too, and not counted:\n");
  printFailures(io.stderr, failures);
}
