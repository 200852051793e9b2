import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import type { Descriptor, ImageStore } from "../../oci/types.ts";
import { readBundle } from "../bundle/read.ts";
import type { Evidence, Origin, Unreadable } from "../model.ts";
import { readStatement, refuseOtherType } from "../statement.ts";

export interface FindOptions {
  readonly subject: Digest;
  /** Which stored forms to look for. */
  readonly forms: { readonly legacy: boolean; readonly bundle: boolean };
  /** Which legacy tag to look under: of signatures by default. */
  readonly attachment?: "sig" | "att";
  readonly tagPrefix: string;
  /** Largest payload or bundle, in bytes. */
  readonly maxBytes: number;
  /** Most fetches at a time. */
  readonly workers: number;
  /** Whether bundles come with the bytes they were read from. */
  readonly documents?: boolean;
  /** Told of a referrer whose bundle is the same blob as that of an earlier one, which is found once. */
  readonly onRepeat?: (origin: Origin, first: Origin) => void;
}

/** Blobs above this size come after all others, one at a time. Bytes. */
export const SMALL = 16 * 1024 * 1024;
/** Most bytes of blobs that are fetched ahead of the one that is being judged. */
export const MAX_AT_ONCE = 16 * 1024 * 1024;
/** Most bytes of payloads that are kept for layers that name them again. */
const MAX_KEPT = 64 * 1024 * 1024;

/** Payloads by digest: several signatures may share one. The oldest are let go when they get too many. */
export class BlobCache {
  readonly #store: ImageStore;
  readonly #maxBytes: number;
  readonly #kept = new Map<string, { readonly size: number; readonly bytes: Promise<Uint8Array> }>();
  #size = 0;

  constructor(store: ImageStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  get(layer: Descriptor): Promise<Uint8Array> {
    const key = keyOf(layer);
    const known = this.#kept.get(key);
    if (known) return known.bytes;
    const bytes = this.#store.blob(layer, { maxBytes: this.#maxBytes });
    bytes.catch(() => {}); // whoever asked is told
    this.#kept.set(key, { size: layer.size, bytes });
    this.#size += layer.size;
    for (const [oldest, { size }] of this.#kept) {
      if (this.#size <= MAX_KEPT || oldest === key) break;
      this.#kept.delete(oldest);
      this.#size -= size;
    }
    return bytes;
  }
}

/** What became of a bundle's blob the first time. */
interface Earlier {
  readonly origin: Origin;
  /** Of its statement; undefined for what has none. */
  readonly predicateType: string | undefined;
  /** Whether it was passed on; it is not when the referrer stated another type than the statement. */
  readonly used: boolean;
}

/** Reads the bundles of referrers, each blob once, however many referrers name it. */
export class BundleReader {
  readonly #store: ImageStore;
  readonly #options: FindOptions;
  readonly #earlier = new Map<string, Promise<Earlier>>();

  constructor(store: ImageStore, options: FindOptions) {
    this.#store = store;
    this.#options = options;
  }

  /**
   * @param from.stated the predicate type that the referrer's annotation states
   * @param from.spend called before the blob is fetched; throws when no more may be
   * @returns undefined for a bundle that was passed on already
   * @throws TsignError for one that cannot be fetched or read
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
    outcome.catch(() => {}); // thrown below; others that name the blob get the same failure
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
    return undefined; // verify says what is wrong with it
  }
}

function refuseStated(signed: string | undefined, stated: string | undefined): void {
  if (signed === undefined || stated === undefined || signed === stated) return;
  throw new TsignError("bad-bundle", `it is annotated as ${stated}, and the statement is of type ${signed}`);
}

function keyOf({ digest, size }: { digest: Digest; size: number }): string {
  return `${digest} ${size}`;
}
