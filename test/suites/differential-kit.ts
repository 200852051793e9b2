import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { TsignError } from "../../src/errors.ts";
import { goProgram } from "./ecosystem-kit.ts";

/** Time for which each differential suite generates documents, in seconds, and the seed. */
export const SECONDS = Number(process.env["TSIGN_DIFFERENTIAL_SECONDS"] ?? 20);
export const SEED = Number(process.env["TSIGN_DIFFERENTIAL_SEED"] ?? 1);

/** What another program finds in a document; `images` is null if it refuses the document. */
export interface Answer {
  readonly images: readonly string[] | null;
  readonly frontend?: string;
  readonly errors: readonly string[] | null;
}

/** A program of `differential/` that answers frames of a length and bytes with a line of JSON each; it ends with the test. */
export async function oracle(context: TestContext, name: string) {
  const child = spawn(await goProgram(`differential/${name}`), [], { stdio: ["pipe", "pipe", "ignore"] });
  context.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    /** Sends many documents at once. */
    async ask(documents: readonly Uint8Array[]): Promise<Answer[]> {
      for (const document of documents) {
        const size = Buffer.alloc(4);
        size.writeUInt32BE(document.length);
        child.stdin.write(Buffer.concat([size, document]));
      }
      const answers: Answer[] = [];
      for (const _ of documents) {
        const { value, done } = await lines.next();
        if (done) throw new Error(`the program ${name} ended before its answer`);
        answers.push(JSON.parse(value));
      }
      return answers;
    },
  };
}

/** A repeatable source of choices. */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0 to below 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.below(values.length)] as T;
  }

  /** Calls one of several functions. */
  one<T>(...makers: [() => T, ...(() => T)[]]): T {
    return this.pick(makers)();
  }

  many<T>(least: number, most: number, make: (index: number) => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, (_, index) => make(index));
  }

  /** Changes a few places of a text: characters taken out, put in, doubled, swapped, and pieces moved. */
  mutate(text: string, alphabet: readonly [string, ...string[]]): string {
    let changed = text;
    for (let count = 1 + this.below(3); count > 0; count--) {
      const at = this.below(changed.length + 1);
      const [before, after] = [changed.slice(0, at), changed.slice(at)];
      changed = this.one(
        () => before + this.pick(alphabet) + after,
        () => before + this.pick(alphabet) + after,
        () => before + after.slice(1),
        () => before + this.pick(alphabet) + after.slice(1),
        () => before + after.slice(0, this.below(12)) + after,
        () => after + before,
      );
    }
    return changed;
  }
}

/** Returns what tsign finds, or why it refuses. */
export function judged<T>(read: () => T): { found: T } | { refusal: string } {
  try {
    return { found: read() };
  } catch (error) {
    if (error instanceof TsignError && error.code !== "internal") return { refusal: error.message };
    throw error;
  }
}

/** Counts by kind, with the first document of each. */
export class Tally {
  readonly #kinds = new Map<string, { count: number; example: string }>();

  add(kind: string, example: string): void {
    const known = this.#kinds.get(kind);
    if (known) known.count++;
    else this.#kinds.set(kind, { count: 1, example });
  }

  /** The kinds with the most documents first. */
  report(most: number): string {
    const sorted = [...this.#kinds].sort(([, one], [, other]) => other.count - one.count);
    return sorted
      .slice(0, most)
      .map(([kind, { count, example }]) => `  ${String(count).padStart(6)}  ${kind}  ${JSON.stringify(example)}`)
      .join("\n");
  }
}
