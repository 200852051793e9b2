import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor, ImageStore } from "../../oci/types.ts";
import { readBundle } from "../bundle/read.ts";
import type { Evidence, Origin, Unreadable } from "../model.ts";
import { readStatement, refuseOtherType, typeMismatch } from "../statement.ts";

export interface FindOptions {
  readonly subject: Digest;
  /** Which stored forms to look for. */
  readonly forms: { readonly legacy: boolean; readonly bundle: boolean };
  /** The legacy tag to search; by default that of signatures. */
  readonly attachment?: "sig" | "att";
  readonly tagPrefix: string;
  /** Largest payload or bundle, in bytes. */
  readonly maxBytes: number;
  /** Most concurrent fetches. */
  readonly workers: number;
  /** Whether to return bundles with their bytes. */
  readonly documents?: boolean;
  /** Called for a referrer with the same bundle as an earlier one, which is returned once. */
  readonly onRepeat?: (origin: Origin, first: Origin) => void;
}

/** Largest small blob, in bytes. Larger ones are read last, one at a time. */
export const SMALL = 16 * 1024 * 1024;
/** Most bytes of blobs fetched ahead. */
export const MAX_AT_ONCE = 16 * 1024 * 1024;
/** Most bytes of cached payloads. */
const MAX_CACHED = 64 * 1024 * 1024;

/** Caches payloads by digest, as several signatures may share one. Evicts the oldest. */
export class BlobCache {
  readonly #store: ImageStore;
  readonly #maxBytes: number;
  readonly #cached = new Map<string, { readonly size: number; readonly bytes: Promise<Uint8Array> }>();
  #size = 0;

  constructor(store: ImageStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  get(layer: Descriptor): Promise<Uint8Array> {
    const key = keyOf(layer);
    const known = this.#cached.get(key);
    if (known) return known.bytes;
    const bytes = this.#store.blob(layer, { maxBytes: this.#maxBytes });
    bytes.catch(() => {}); // the caller handles it
    this.#cached.set(key, { size: layer.size, bytes });
    this.#size += layer.size;
    for (const [oldest, { size }] of this.#cached) {
      if (this.#size <= MAX_CACHED || oldest === key) break;
      this.#cached.delete(oldest);
      this.#size -= size;
    }
    return bytes;
  }
}

/** The result of reading a bundle's blob for the first time. */
interface Earlier {
  readonly origin: Origin;
  /** Predicate type of its statement; undefined without one. */
  readonly predicateType: string | undefined;
  /** Whether it was returned; it is not if the referrer's annotation had another predicate type. */
  readonly used: boolean;
}

/** Reads the bundles of referrers, each blob once. */
export class BundleReader {
  readonly #store: ImageStore;
  readonly #options: FindOptions;
  readonly #earlier = new Map<string, Promise<Earlier>>();

  constructor(store: ImageStore, options: FindOptions) {
    this.#store = store;
    this.#options = options;
  }

  /**
   * Reads a bundle.
   *
   * @param from.stated the predicate type in the referrer's annotation
   * @param from.spend called before fetching the blob; throws if the limit is reached
   * @returns undefined for a bundle that was returned already
   * @throws TsignError if it cannot be fetched or parsed
   */
  async read(
    layer: Descriptor,
    from: { origin: Origin; stated: string | undefined; spend: () => void },
  ): Promise<Evidence | Unreadable | undefined> {
    const key = keyOf(layer);
    const earlier = await this.#earlier.get(key);
    if (earlier?.used) {
      refuseStated(earlier.predicateType, from.stated);
      this.#options.onRepeat?.(from.origin, earlier.origin);
      return undefined;
    }
    if (earlier) refuseStated(earlier.predicateType, from.stated);
    const reading = this.#load(layer, from);
    const outcome = reading.then(({ earlier }) => earlier);
    outcome.catch(() => {}); // thrown below; later referrers with this blob get the same error
    this.#earlier.set(key, outcome);
    const { evidence } = await reading;
    return evidence;
  }

  async #load(layer: Descriptor, from: Parameters<BundleReader["read"]>[1]) {
    from.spend();
    const bytes = await this.#store.blob(layer, { maxBytes: this.#options.maxBytes });
    const { origin, stated } = from;
    const evidence = readBundle(bytes, origin, { overwrite: !this.#options.documents });
    const predicateType = predicateTypeOf(evidence);
    const document = this.#options.documents ? { document: bytes } : {};
    const mismatch = mismatchOf(evidence, stated);
    const found: Evidence | Unreadable = mismatch ? { origin, unreadable: mismatch } : { ...evidence, ...document };
    return { evidence: found, earlier: { origin, predicateType, used: mismatch === undefined } };
  }
}

function mismatchOf({ content }: Evidence, stated: string | undefined): string | undefined {
  try {
    refuseOtherType(content, stated);
    return undefined;
  } catch (error) {
    if (error instanceof TsignError && error.code === "bad-bundle") return error.message;
    throw error;
  }
}

function predicateTypeOf({ content }: Evidence): string | undefined {
  if (content.kind !== "dsse") return undefined;
  try {
    return readStatement(content).predicateType;
  } catch {
    return undefined; // `verify` reports the malformed statement
  }
}

function refuseStated(signed: string | undefined, stated: string | undefined): void {
  if (signed === undefined || stated === undefined || signed === stated) return;
  throw typeMismatch(signed, stated);
}

function keyOf({ digest, size }: { digest: Digest; size: number }): string {
  return `${digest} ${size}`;
}
