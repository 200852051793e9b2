import { setImmediate } from "node:timers/promises";
import { attachmentTag } from "../../oci/tags.ts";
import type { ImageStore, StoredManifest } from "../../oci/types.ts";
import type { Found } from "../model.ts";
import { BlobCache, BundleReader, type FindOptions } from "./blobs.ts";
import { incomplete, MAX_TOTAL, readSignatureImage, type Search } from "./layers.ts";
import { findReferring } from "./referrers.ts";

export type { FindOptions } from "./blobs.ts";

/** Judging what is in memory already takes no turn of the event loop: one is taken after so many, for time-outs and Ctrl-C. */
const TURN = 16;

/**
 * Everything stored beside an image that claims to sign it: the layers of its `.sig` tag, then its referrers, each in
 * stored order, large ones (over 16 MiB) last. They come one by one, for the consumer to judge and let go: only a few are
 * fetched ahead, and no number of them, or of referrers of other types, fills the memory. A candidate that cannot be fetched
 * or read is yielded as Unreadable, so that it hides no other; a place that cannot be looked through, or has more than can be
 * read, as Incomplete, so that it never looks like "no signatures". A bundle that several referrers name comes once.
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
  const first = referring.next(); // its listing is asked for while the tag is
  first.catch(() => {});
  let count = 0;
  try {
    for await (const found of legacy ? findTagged(search) : none()) {
      yield found;
      if (++count % TURN === 0) await setImmediate();
    }
    for (let next = await first; !next.done; next = await referring.next()) {
      yield next.value;
      if (++count % TURN === 0) await setImmediate();
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
  // A registry may answer a tag that it has not with the image.
  if (stored && stored.descriptor.digest !== options.subject)
    yield* readSignatureImage(search, { stored, where, kind });
}
