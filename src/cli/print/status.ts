import { withParts } from "../../format/parts.ts";
import { printable } from "../../format/printable.ts";
import type { Io, Terminal } from "../../io/io.ts";

/** Key of the status line of a caller that has only one. */
const ONLY = {};

/**
 * The lines at the end of the terminal that show progress: several at once, removed before anything else is written, and
 * none while a question is asked or after the command has ended.
 */
export class StatusArea {
  readonly #io: Pick<Io, "tty"> & Partial<Pick<Io, "orderly">>;
  readonly #lines = new Map<object, string>();
  #shown = false;
  #prompts = 0;
  #closed = false;
  #release: (() => void) | undefined;

  constructor(io: Pick<Io, "tty"> & Partial<Pick<Io, "orderly">>) {
    this.#io = io;
  }

  /** Removes the lines from the screen; the next change of one shows them again. */
  erase(): void {
    if (!this.#shown) return;
    this.#shown = false;
    this.#io.tty.status("");
  }

  /** Removes the lines for good. */
  close(): void {
    this.#closed = true;
    this.#lines.clear();
    this.erase();
    this.#release?.();
  }

  set(text: string, key: object = ONLY): void {
    if (this.#closed) return;
    if (text === "") {
      if (this.#lines.delete(key)) this.#draw();
      return;
    }
    this.#lines.set(key, text);
    this.#draw();
  }

  /** The terminal with its status lines and prompts in the hands of this area. */
  terminal(): Terminal {
    const { tty } = this.#io;
    return withParts(tty, {
      status: (text, key) => this.set(text, key),
      prompt: (...question) => this.#ask(question),
    });
  }

  async #ask(question: Parameters<Terminal["prompt"]>): Promise<string> {
    this.#prompts++;
    this.erase();
    try {
      return await this.#io.tty.prompt(...question);
    } finally {
      this.#prompts--;
    }
  }

  #draw(): void {
    if (this.#prompts > 0) return;
    const { columns } = this.#io.tty;
    const lines = [...this.#lines.values()].map((line) => [...printable(line)].slice(0, columns - 1).join(""));
    if (lines.length === 0) {
      this.erase();
      this.#release?.();
      return;
    }
    this.#holdSignals();
    this.#shown = true;
    this.#io.tty.status(lines.join("\n"));
  }

  /** While lines are shown, Ctrl-C stops the command instead of the process, so that they are removed. */
  #holdSignals(): void {
    if (this.#release || !this.#io.orderly) return;
    void this.#io.orderly(
      () =>
        new Promise<void>((done) => {
          this.#release = () => {
            this.#release = undefined;
            done();
          };
        }),
    );
  }
}
