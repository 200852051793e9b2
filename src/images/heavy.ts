import type { ImageStore } from "../oci/types.ts";
import type { ImageTarget } from "./open.ts";

/** Bytes of signatures that every image may have at any time. */
const LIGHT = 8 * 1024 * 1024;

/**
 * Bounds the memory of images that are verified at the same time: from `LIGHT` bytes of signatures on, an image waits until no
 * other one has more.
 */
export class HeavyTurns {
  #last: Promise<void> = Promise.resolve();

  /** Runs work on an image, which gives back its turn when it is done. */
  async run<T>(target: ImageTarget, work: (target: ImageTarget) => Promise<T>): Promise<T> {
    let bytes = 0;
    let turn: Promise<() => void> | undefined;
    const attachments: ImageStore = {
      ...target.attachments,
      blob: async (descriptor, options) => {
        bytes += descriptor.size;
        if (bytes > LIGHT) {
          turn ??= this.#take();
          await turn;
        }
        return target.attachments.blob(descriptor, options);
      },
    };
    try {
      return await work({ ...target, attachments });
    } finally {
      turn?.then((release) => release());
    }
  }

  /** Waits for a turn. @returns what ends it */
  async #take(): Promise<() => void> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    return resolve;
  }
}
