import { setImmediate } from "node:timers/promises";
import { attachmentTag } from "../../oci/tags.ts";
import type { ImageStore, StoredManifest } from "../../oci/types.ts";
import type { Found } from "../model.ts";
import { BlobCache, BundleReader, type FindOptions } from "./blobs.ts";
import { incomplete, MAX_TOTAL, readSignatureImage, type Search } from "./layers.ts";
import { findReferring } from "./referrers.ts";

export type { FindOptions } from "./blobs.ts";

/** Candidates between turns of the event loop: verifying cached content would otherwise block time-outs and Ctrl-C. */
const CANDIDATES_PER_TURN = 16;

/**
 * Finds the signatures stored with an image: the layers of its `.sig` tag, then its referrers, in stored order, large ones (over
 * 16 MiB) last. They are yielded one by one, with only a few fetched ahead, so that memory stays bounded. A candidate that cannot
 * be read is yielded as Unreadable; a place that cannot be searched completely is yielded as Incomplete, never as "no signatures".
 * A bundle that several referrers contain is yielded once.
 */
export async function* findEvidence(store: ImageStore, options: FindOptions): AsyncGenerator<Found, void, undefined> {
  const { legacy, bundle } = options.forms;
  const search: Search = {
    store,
    options,
    blobs: new BlobCache(store, options.maxBytes),
    bundles: new BundleReader(store, options),
    total: { left: MAX_TOTAL },
  };
  const referring = legacy || bundle ? findReferring(search) : none();
  const first = referring.next(); // lists the referrers while the tag is looked up
  first.catch(() => {});
  let count = 0;
  try {
    for await (const found of legacy ? findTagged(search) : none()) {
      yield found;
      if (++count % CANDIDATES_PER_TURN === 0) await setImmediate();
    }
    for (let next = await first; !next.done; next = await referring.next()) {
      yield next.value;
      if (++count % CANDIDATES_PER_TURN === 0) await setImmediate();
    }
  } finally {
    await referring.return();
  }
}

async function* none(): AsyncGenerator<Found, void, undefined> {}

async function* findTagged(search: Search): AsyncGenerator<Found, void, undefined> {
  const { store, options } = search;
  const attachment = options.attachment ?? "sig";
  const tag = attachmentTag(options.subject, attachment, options.tagPrefix);
  const kind = attachment === "att" ? "att-tag" : "sig-tag";
  const where = `${store.name}:${tag}`;
  let stored: StoredManifest | undefined;
  try {
    stored = await store.manifest(tag);
  } catch (error) {
    yield incomplete({ kind, where }, error);
    return;
  }
  // Some registries return the image for a missing tag.
  if (stored && stored.descriptor.digest !== options.subject)
    yield* readSignatureImage(search, { stored, where, kind });
}
