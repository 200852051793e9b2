import { TsignError } from "../errors.ts";
import { removeListed } from "../evidence/remove.ts";
import { withdrawLayers, withdrawReferrers } from "../evidence/withdraw.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import type { ImageTarget } from "./open.ts";
import { manifestOf, type Planned } from "./prune.ts";
import type { Recognized } from "./superseded.ts";

type RemovalIo = Pick<Io, "sleep" | "now" | "signal">;

/** What became of signatures that were to be removed. */
export interface Pruned {
  readonly removed: ReadonlySet<Planned>;
  /** Those of them whose manifest the registry refuses to delete: it is stored, but no longer listed. */
  readonly stored: ReadonlySet<Planned>;
  /** The first failure; signatures that are neither removed nor stored are still there. */
  readonly failure: TsignError | undefined;
}

/**
 * Removes the superseded signatures of a plan. What replaces them must still be there. Entries of a fallback index are removed
 * before the manifests that they list, so that after a failure the index lists only what exists.
 */
export async function applyPrune(
  io: RemovalIo,
  target: Pick<ImageTarget, "attachments" | "digest">,
  { planned, tagPrefix }: { planned: readonly Planned[]; tagPrefix: string },
): Promise<Pruned> {
  const superseded = planned.filter((each) => "newer" in each.standing);
  const isTagged = (each: Planned) => layerOf(each) !== undefined;
  const removed = new Set<Planned>();
  const stored = new Set<Planned>();
  let failure: TsignError | undefined;
  const attempt = async (remove: () => Promise<void>) => {
    try {
      await remove();
    } catch (error) {
      if (!(error instanceof TsignError) || error.code === "cancelled" || error.code === "internal") throw error;
      failure ??= error;
    }
  };
  const layers = superseded.filter(isTagged);
  if (layers.length > 0) {
    await attempt(async () => {
      await removeLayers(io, target, { layers, tagPrefix });
      for (const each of layers) removed.add(each);
    });
  }
  const bundles = superseded.filter((each) => !isTagged(each));
  if (bundles.length > 0) {
    await attempt(async () => {
      await requireNewer(target.attachments, bundles);
      const digests = new Map(bundles.map((each) => [digestOfPlanned(each), each]));
      const gone = new Set(digests.keys());
      await withdrawReferrers(io, target.attachments, { subject: target.digest, gone, mayRefuse: false });
      const listed = [...digests.keys()].map((digest) => ({ digest, there: true }));
      const removal = await removeListed(io, target.attachments, target.digest, listed);
      for (const each of bundles) {
        if (removal.removed.includes(digestOfPlanned(each))) removed.add(each);
        if (removal.kept.includes(digestOfPlanned(each))) stored.add(each);
      }
      failure ??= removal.failure;
    });
  }
  return { removed, stored, failure };
}

async function removeLayers(
  io: RemovalIo,
  { attachments, digest }: Pick<ImageTarget, "attachments" | "digest">,
  { layers, tagPrefix }: { layers: readonly Planned[]; tagPrefix: string },
): Promise<void> {
  const tag = attachmentTag(digest, "sig", tagPrefix);
  const removed = layers.flatMap((each) => layerOf(each) ?? []);
  const required = newerOf(layers).flatMap(({ evidence }) => evidence.origin.stored?.layer ?? []);
  await withdrawLayers(io, attachments, { tag, removed, required });
}

/** Checks that the signatures that replace others are still stored, and refer to the image. */
async function requireNewer(store: ImageStore, superseded: readonly Planned[]): Promise<void> {
  for (const digest of new Set(newerOf(superseded).map(manifestOf))) {
    if (await store.manifest(digest)) continue;
    throw new TsignError("registry", `remove superseded signatures: ${store.name}@${digest} no longer exists`, {
      hint: "run the command again",
    });
  }
}

function newerOf(superseded: readonly Planned[]): Recognized[] {
  return superseded.flatMap(({ standing }) => ("newer" in standing ? standing.newer : []));
}

function layerOf({ candidate }: Planned): Descriptor | undefined {
  return candidate.origin.stored?.layer;
}

function digestOfPlanned({ recognized, candidate }: Planned): Digest {
  if (!recognized) throw new TsignError("internal", `${candidate.origin.where} was not verified`);
  return manifestOf(recognized);
}
