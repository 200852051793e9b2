import { TsignError } from "../errors.ts";

interface Waiting {
  readonly wanted: () => boolean;
  readonly begin: () => void;
  readonly drop: () => void;
}

/** Limits how much work is done at a time for each name, so that one slow registry does not hold up the others. */
export class Turns {
  readonly #limits: { readonly running: number; readonly waiting: number };
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting[]>();

  /** @param limits.running most at a time for each name; @param limits.waiting most that wait for each name */
  constructor(limits: { running: number; waiting: number }) {
    this.#limits = limits;
  }

  /**
   * Runs work in its turn.
   *
   * @param wanted asked when its turn comes; work that is not wanted any more is dropped
   * @throws TsignError "timeout" for dropped work, and if too much is waiting
   */
  async run<T>(name: string, wanted: () => boolean, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name) ?? 0;
    if (running >= this.#limits.running) await this.#turn(name, wanted);
    else this.#running.set(name, running + 1);
    try {
      return await work();
    } finally {
      this.#pass(name);
    }
  }

  #turn(name: string, wanted: () => boolean): Promise<void> {
    const queue = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, queue);
    if (queue.length >= this.#limits.waiting) {
      throw new TsignError("timeout", `verify images of ${name}: too many images are waiting to be verified`);
    }
    return new Promise((begin, fail) => {
      const drop = () => fail(new TsignError("timeout", `verify images of ${name}: not begun in time`));
      queue.push({ wanted, begin, drop });
    });
  }

  /** Gives the place of work that has ended to the next that is still wanted. */
  #pass(name: string): void {
    const queue = this.#waiting.get(name) ?? [];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (next.wanted()) {
        next.begin();
        return;
      }
      next.drop();
    }
    this.#waiting.delete(name);
    const left = (this.#running.get(name) ?? 1) - 1;
    if (left > 0) this.#running.set(name, left);
    else this.#running.delete(name);
  }
}
