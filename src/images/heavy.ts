import type { ImageStore } from "../oci/types.ts";
import type { ImageTarget } from "./open.ts";

/** Bytes of signatures that every image may have at any time. */
const LIGHT = 8 * 1024 * 1024;

/**
 * Bounds the memory of images that are verified at the same time: from `LIGHT` bytes of signatures on, an image waits until no
 * other one has more.
 */
export class HeavyTurns {
  readonly #giveUp: ((ended: AbortSignal) => Promise<never>) | undefined;
  #last: Promise<void> = Promise.resolve();

  /**
   * @param giveUp throws after the longest time that an image may wait for its turn, or when the signal ends the waiting; without it
   *   an image waits as long as the others take
   */
  constructor(giveUp?: (ended: AbortSignal) => Promise<never>) {
    this.#giveUp = giveUp;
  }

  /** Runs work on an image, which gives back its turn when it is done. */
  async run<T>(target: ImageTarget, work: (target: ImageTarget) => Promise<T>): Promise<T> {
    let bytes = 0;
    let turn: Promise<() => void> | undefined;
    const bounded = (store: ImageStore): ImageStore => ({
      ...store,
      blob: async (descriptor, options) => {
        bytes += descriptor.size;
        if (bytes > LIGHT) {
          turn ??= this.#take();
          await turn;
        }
        return store.blob(descriptor, options);
      },
    });
    const { attachments, moreAttachments: more } = target;
    try {
      return await work({ ...target, attachments: bounded(attachments), moreAttachments: more && bounded(more) });
    } finally {
      turn?.then(
        (release) => release(),
        () => {}, // it gave up
      );
    }
  }

  /** Waits for a turn. @returns what ends it */
  async #take(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    const ended = new AbortController();
    try {
      await (this.#giveUp ? Promise.race([before, this.#giveUp(ended.signal)]) : before);
    } catch (error) {
      before.then(resolve); // those behind it wait for those before it
      throw error;
    } finally {
      ended.abort();
    }
    return resolve;
  }
}
