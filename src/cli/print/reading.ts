import type { TsignError } from "../../errors.ts";
import type { Evidence, Found } from "../../evidence/model.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";

/** Candidates that are named one by one. */
const MAX_NAMED = 100;

/** Warns on stderr about what a search could not read, and passes the readable signatures on. */
export function readingReport(io: Pick<Io, "stderr">) {
  let unreadable = 0;
  let failure: TsignError | undefined;
  const warn = (text: string) => io.stderr.write(`WARNING: ${printable(text)}\n`);
  return {
    /** Number of candidates that could not be read. */
    get unreadable() {
      return unreadable;
    },
    async *readable(found: AsyncIterable<Found>): AsyncGenerator<Evidence, void, undefined> {
      for await (const each of found) {
        if ("incomplete" in each) {
          failure ??= each.incomplete;
          warn(`cannot search ${each.origin.where}: ${each.incomplete.message}`);
        } else if ("unreadable" in each) {
          unreadable++;
          if (unreadable <= MAX_NAMED) warn(`cannot read ${each.origin.where}: ${each.unreadable}`);
        } else yield each;
      }
      if (unreadable > MAX_NAMED) warn(`cannot read ${unreadable - MAX_NAMED} more`);
    },
    /** @throws TsignError of the first place that could not be searched: "there are none" cannot be said then */
    requireComplete(): void {
      if (failure) throw failure;
    },
  };
}
