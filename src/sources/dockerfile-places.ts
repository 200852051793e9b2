import { type Edit, referenceEdit } from "./named-image.ts";

/** Finds where a Dockerfile's images are written. */
export class DockerfilePlaces {
  readonly #lines: readonly string[];
  readonly #used = new Set<string>();

  constructor(text: string) {
    this.#lines = text.replace(/^\uFEFF/, "").split("\n");
  }

  /** The number of lines. */
  get count(): number {
    return this.#lines.length;
  }

  /**
   * The edit of an image in the lines of an instruction: the next place that was not returned before.
   *
   * @param range.first from 1
   * @param range.last included
   */
  edit(image: string, { first, last, comments }: { first: number; last: number; comments: boolean }): Edit | undefined {
    for (let line = first; line <= last; line++) {
      const text = this.#lines[line - 1] ?? "";
      if (!comments && /^[ \t]*#/.test(text)) continue;
      for (let column = text.indexOf(image); column !== -1; column = text.indexOf(image, column + 1)) {
        const [before, after] = [text.charAt(column - 1), text.charAt(column + image.length)];
        const key = `${line}:${column}`;
        if (!/^[\s="',]?$/.test(before) || !/^[\s"',]?$/.test(after) || this.#used.has(key)) continue;
        this.#used.add(key);
        return referenceEdit(image, { line, column, length: image.length });
      }
    }
    return undefined;
  }
}
