import { TsignError } from "../../errors.ts";
import { mapAhead } from "../../oci/parallel.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../../oci/types.ts";
import { readAttestationLayer, readSignatureLayer } from "../legacy/read.ts";
import type { Evidence, Incomplete, Origin, Unreadable } from "../model.ts";
import { type BlobCache, type BundleReader, type FindOptions, MAX_AT_ONCE, SMALL } from "./blobs.ts";

/** Most bytes of payloads and bundles that are read for one image. */
export const MAX_TOTAL = 4 * 1024 * 1024 * 1024;

/** One search beside one image. */
export interface Search {
  readonly store: ImageStore;
  readonly options: FindOptions;
  readonly blobs: BlobCache;
  readonly bundles: BundleReader;
  /** Bytes that may still be read. */
  readonly total: { left: number };
}

/** The layers of a signature or attestation image, small ones first. */
export async function* readSignatureImage(
  search: Search,
  from: { stored: StoredManifest; where: string; kind: Origin["kind"] },
): AsyncGenerator<Evidence | Unreadable, void, undefined> {
  const { options, blobs } = search;
  const numbered = from.stored.manifest.layers.map((layer, index) => ({ layer, index }));
  const inOrder = [
    ...numbered.filter(({ layer }) => layer.size <= SMALL),
    ...numbered.filter(({ layer }) => layer.size > SMALL),
  ];
  const ahead = {
    limit: options.workers,
    weigh: ({ layer }: { layer: Descriptor }) => layer.size,
    budget: MAX_AT_ONCE,
  };
  yield* mapAhead(inOrder, ahead, async ({ layer, index }): Promise<Evidence | Unreadable> => {
    const origin: Origin = { kind: from.kind, where: `${from.where}, layer ${index + 1}` };
    try {
      spend(search, layer);
      const payload = await blobs.get(layer);
      const read = from.kind === "att-tag" ? readAttestationLayer : readSignatureLayer;
      return read({ payload, annotations: layer.annotations ?? {}, origin });
    } catch (error) {
      return unreadable(origin, error);
    }
  });
}

/** @throws TsignError "limit" when more was read for this image than may be */
export function spend({ total, store, options }: Search, { size }: Descriptor): void {
  total.left -= size;
  if (total.left >= 0) return;
  const what = `${store.name}@${options.subject} has more than ${MAX_TOTAL / 1024 ** 3} GiB of signatures`;
  throw new TsignError("limit", what);
}

/** A place that could not be looked through, for an expected reason. */
export function incomplete(origin: Origin, error: unknown): Incomplete {
  reason(error);
  return { origin, incomplete: error as TsignError };
}

/** The message of an expected failure; a defect of our own, or the user's stop, is no place's fault. */
function reason(error: unknown): string {
  if (!(error instanceof TsignError) || error.code === "internal" || error.code === "cancelled") throw error;
  return error.message;
}

/**
 * A candidate that could not be read, so that it hides no other. The user's stop is thrown on; a defect of tsign is kept
 * beside the text, to be reported where no other candidate verifies.
 */
export function unreadable(origin: Origin, error: unknown): Unreadable {
  if (error instanceof TsignError && error.code === "cancelled") throw error;
  const text = error instanceof Error ? error.message : String(error);
  const isExpected = error instanceof TsignError && error.code !== "internal";
  return isExpected ? { origin, unreadable: text } : { origin, unreadable: text, defect: { error } };
}
