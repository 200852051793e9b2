import { TsignError } from "../errors.ts";

interface Waiting {
  readonly wanted: () => boolean;
  readonly begin: () => void;
  readonly drop: () => void;
}

/** For the images of a registry, and of all. */
export const REGISTRY_TURNS: Limits = { running: 16, waiting: 2000, allRunning: 64, allWaiting: 4000 };

/** How much may run and wait at a time, for one name and for all together. */
interface Limits {
  readonly running: number;
  readonly waiting: number;
  readonly allRunning: number;
  readonly allWaiting: number;
}

/**
 * Limits how much work is done at a time for each name and in all, so that neither a slow registry nor many of them hold up the
 * others. Names take turns where all together are at the limit.
 */
export class Turns {
  readonly #limits: Limits;
  readonly #running = new Map<string, number>();
  /** The name whose turn is next comes first. */
  readonly #waiting = new Map<string, Waiting[]>();
  #allRunning = 0;
  #allWaiting = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Runs work in its turn.
   *
   * @param wanted asked when its turn comes; work that is not wanted any more is dropped
   * @throws TsignError "timeout" for dropped work, and if too much is waiting
   */
  async run<T>(name: string, wanted: () => boolean, work: () => Promise<T>): Promise<T> {
    if (this.#mayBegin(name) && !this.#waiting.has(name)) this.#count(name, 1);
    else await this.#turn(name, wanted);
    try {
      return await work();
    } finally {
      this.#count(name, -1);
      this.#beginNext();
    }
  }

  #mayBegin(name: string): boolean {
    const { running, allRunning } = this.#limits;
    return this.#allRunning < allRunning && (this.#running.get(name) ?? 0) < running;
  }

  #count(name: string, change: 1 | -1): void {
    const running = (this.#running.get(name) ?? 0) + change;
    if (running > 0) this.#running.set(name, running);
    else this.#running.delete(name);
    this.#allRunning += change;
  }

  #turn(name: string, wanted: () => boolean): Promise<void> {
    if (this.#isFull(name)) this.#dropUnwanted();
    if (this.#isFull(name)) {
      throw new TsignError("timeout", `verify images of ${name}: too many images are waiting to be verified`);
    }
    const queue = this.#waiting.get(name) ?? [];
    this.#waiting.set(name, queue);
    this.#allWaiting++;
    return new Promise((begin, fail) => {
      const drop = () => fail(new TsignError("timeout", `verify images of ${name}: not begun in time`));
      queue.push({ wanted, begin, drop });
    });
  }

  #isFull(name: string): boolean {
    const { waiting, allWaiting } = this.#limits;
    return this.#allWaiting >= allWaiting || (this.#waiting.get(name)?.length ?? 0) >= waiting;
  }

  #dropUnwanted(): void {
    for (const [name, queue] of this.#waiting) {
      const kept = queue.filter(({ wanted, drop }) => wanted() || drop());
      this.#allWaiting -= queue.length - kept.length;
      if (kept.length > 0) this.#waiting.set(name, kept);
      else this.#waiting.delete(name);
    }
  }

  /** Gives free places to what waits and is still wanted, to each name in its turn. */
  #beginNext(): void {
    for (const [name, queue] of [...this.#waiting]) {
      if (this.#allRunning >= this.#limits.allRunning) return;
      if (!this.#mayBegin(name)) continue;
      this.#waiting.delete(name);
      const next = this.#nextWanted(queue);
      if (queue.length > 0) this.#waiting.set(name, queue);
      if (next === undefined) continue;
      this.#count(name, 1);
      next.begin();
    }
  }

  #nextWanted(queue: Waiting[]): Waiting | undefined {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      this.#allWaiting--;
      if (next.wanted()) return next;
      next.drop();
    }
    return undefined;
  }
}
