import type { ImageVerdict } from "./verdict.ts";

/** Most bytes of verdicts that are kept for further names of their digests: about a thousand images with one signature each. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Bytes of a candidate besides its document, measured: keys, certificates, log entries, checks. */
const PER_CANDIDATE = 32_000;

interface Kept {
  readonly repository: string;
  readonly verdict: Promise<ImageVerdict>;
  bytes: number;
}

/**
 * The verdicts of a batch by digest, while a further name may have the digest: until every name of the repository is verified, and
 * the latest up to a limit of memory.
 */
export class KnownVerdicts {
  readonly #verdicts = new Map<string, Kept>();
  /** Names to verify by repository. */
  readonly #left = new Map<string, number>();
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param repositories the repository of each name of the batch */
  constructor(repositories: Iterable<string>, { maxBytes = MAX_BYTES } = {}) {
    for (const repository of repositories) this.#left.set(repository, (this.#left.get(repository) ?? 0) + 1);
    this.#maxBytes = maxBytes;
  }

  /**
   * Returns the verdict for a digest under a name. To be called once for each name of the batch.
   *
   * @param target.key the digest and where it is stored
   * @param target.image the name, which the reason for a refusal contains
   */
  async of(
    { repository, key, image }: { repository: string; key: string; image: string },
    verify: () => Promise<ImageVerdict>,
  ): Promise<ImageVerdict> {
    const known = this.#verdicts.get(key);
    const left = (this.#left.get(repository) ?? 1) - 1;
    this.#left.set(repository, left);
    if (left === 0) this.#forget((kept) => kept.repository === repository);
    const earlier = known && (await known.verdict.catch(() => undefined));
    if (earlier && (earlier.ok || earlier.image === image)) return { ...earlier, image };
    const verdict = verify();
    if (this.#left.get(repository) === 0) return verdict;
    const kept: Kept = { repository, verdict, bytes: 0 };
    this.#forget((_, other) => other === key);
    this.#verdicts.set(key, kept);
    const found = await verdict;
    if (this.#verdicts.get(key) !== kept) return found; // forgotten or replaced meanwhile
    kept.bytes = bytesOf(found);
    this.#bytes += kept.bytes;
    this.#forget(() => this.#bytes > this.#maxBytes);
    return found;
  }

  /** Forgets verdicts, from the oldest on. */
  #forget(isUnneeded: (kept: Kept, key: string) => boolean): void {
    for (const [key, kept] of this.#verdicts) {
      if (!isUnneeded(kept, key)) continue;
      this.#bytes -= kept.bytes;
      this.#verdicts.delete(key);
    }
  }
}

/** Estimates the memory of a verdict, in bytes. A statement is kept as bytes and, in its envelope, as base64. */
function bytesOf({ count, verified }: ImageVerdict): number {
  const documents = verified.map(({ content }) => (content.kind === "artifact" ? 0 : content.payload.length));
  return documents.reduce((sum, each) => sum + 3 * each, Math.max(count, 1) * PER_CANDIDATE);
}
