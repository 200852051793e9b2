import type { LineOptions, Lines } from "../../io/io.ts";

/**
 * Keeps the lines about images that are verified at the same time together: the lines of an image are held until it is its turn,
 * and written at once from then on.
 */
export class HeldLines {
  readonly #stderr: Lines;
  readonly #holding: boolean;
  readonly #held = new Map<number, [text: string, options: LineOptions | undefined][]>();
  #next = 0;

  /** @param options.holding false to hold nothing, for a single image */
  constructor(stderr: Lines, { holding }: { holding: boolean }) {
    this.#stderr = stderr;
    this.#holding = holding;
  }

  /** The lines of the image at an index. */
  linesOf(index: number): Lines {
    return {
      write: (text, options) => {
        if (!this.#holding || index < this.#next) return this.#stderr.write(text, options);
        const lines = this.#held.get(index) ?? [];
        this.#held.set(index, lines);
        return lines.push([text, options]);
      },
    };
  }

  /** Writes the lines of the image at an index, which is the next. */
  release(index: number): void {
    this.#next = index + 1;
    for (const [text, options] of this.#held.get(index) ?? []) this.#stderr.write(text, options);
    this.#held.delete(index);
  }
}
