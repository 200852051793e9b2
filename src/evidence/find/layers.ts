import { TsignError } from "../../errors.ts";
import { mapAhead } from "../../oci/parallel.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../../oci/types.ts";
import { readAttestationLayer, readSignatureLayer } from "../legacy/read.ts";
import type { Evidence, Incomplete, Origin, Unreadable } from "../model.ts";
import { type BlobCache, type BundleReader, type FindOptions, MAX_AT_ONCE, SMALL } from "./blobs.ts";

/** Most bytes of payloads and bundles for one image. */
export const MAX_TOTAL = 4 * 1024 * 1024 * 1024;

/** The state of a search for one image's signatures. */
export interface Search {
  readonly store: ImageStore;
  readonly options: FindOptions;
  readonly blobs: BlobCache;
  readonly bundles: BundleReader;
  /** Remaining bytes. */
  readonly total: { left: number };
}

/** Reads the layers of a signature or attestation image, small ones first. */
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
    const where = `${from.where}, layer ${index + 1}`;
    const origin: Origin = { kind: from.kind, where, stored: { manifest: from.stored.descriptor.digest, layer } };
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

/** Counts a blob against the limit for this image. @throws TsignError "limit" */
export function spend({ total, store, options }: Search, { size }: Descriptor): void {
  total.left -= size;
  if (total.left >= 0) return;
  const reason = `${store.name}@${options.subject} has more than ${MAX_TOTAL / 1024 ** 3} GiB of signatures`;
  throw new TsignError("limit", reason);
}

/** The result for a place that could not be searched. Throws defects and the user's abort. */
export function incomplete(origin: Origin, error: unknown): Incomplete {
  if (!(error instanceof TsignError) || error.code === "internal" || error.code === "cancelled") throw error;
  return { origin, incomplete: error };
}

/**
 * The result for a candidate that could not be read. Throws the user's abort; keeps a defect of tsign, to be reported if no other
 * candidate verifies.
 */
export function unreadable(origin: Origin, error: unknown): Unreadable {
  if (error instanceof TsignError && error.code === "cancelled") throw error;
  const text = error instanceof Error ? error.message : String(error);
  const isExpected = error instanceof TsignError && error.code !== "internal";
  if (!isExpected) return { origin, unreadable: text, defect: { error } };
  return { origin, unreadable: text, ...(isOutage(error) ? { unfetched: error } : {}) };
}

/** Whether an error is about the connection or the server, not about what it returned. */
function isOutage({ code, status }: TsignError): boolean {
  if (code === "registry") return status !== undefined && (status === 429 || status >= 500);
  return code === "network" || code === "timeout" || code === "auth";
}
