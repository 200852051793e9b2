import { TsignError } from "../errors.ts";
import { unreadable } from "../evidence/find/layers.ts";
import type { Evidence, Unreadable } from "../evidence/model.ts";
import { readStatement } from "../evidence/statement.ts";
import type { Io } from "../io/io.ts";
import { isVerified, type Verdict, type Verified } from "../verify/verify.ts";
import { type Failure, failureOf } from "./print/verified.ts";

/**
 * Judges candidates one by one and keeps what became of them. One that cannot be judged, because a log cannot be asked, say,
 * fails and hides no other. So does one that a defect of tsign stands in the way of; but where none verifies that defect is
 * what is reported, and not a bad signature.
 */
export class Judging {
  readonly verified: Verified[] = [];
  readonly failures: Failure[] = [];
  readonly #io: Pick<Io, "signal">;
  readonly #judge: (evidence: Evidence) => Promise<Verdict>;
  #defect: Unreadable["defect"];

  constructor(io: Pick<Io, "signal">, judge: (evidence: Evidence) => Promise<Verdict>) {
    this.#io = io;
    this.#judge = judge;
  }

  get count(): number {
    return this.verified.length + this.failures.length;
  }

  async add(candidate: Evidence | Unreadable): Promise<void> {
    const judged = "unreadable" in candidate ? candidate : await this.#attempt(candidate);
    if (isVerified(judged)) {
      this.verified.push(judged);
      return;
    }
    this.failures.push(failureOf(judged));
    if ("unreadable" in judged) this.#defect ??= judged.defect;
  }

  /** @throws what was thrown for a candidate by a defect of tsign, when none verified */
  requireNoDefect(): void {
    if (this.verified.length === 0 && this.#defect) throw this.#defect.error;
  }

  async #attempt(candidate: Evidence): Promise<Verdict | Unreadable> {
    try {
      return await this.#judge(candidate);
    } catch (error) {
      if (this.#io.signal.aborted) throw error;
      return unreadable(candidate.origin, error);
    }
  }
}

/** The predicate type of a candidate's statement; undefined for what is no statement, or none that can be read. */
export function predicateTypeIn(candidate: Evidence): string | undefined {
  if (candidate.content.kind !== "dsse") return undefined;
  try {
    return readStatement(candidate.content).predicateType;
  } catch (error) {
    if (error instanceof TsignError) return undefined; // verify says what is wrong with it
    throw error;
  }
}
