import type { TsignError } from "../../errors.ts";
import type { Evidence, Found } from "../../evidence/model.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";

/** Most candidates that are named one by one. */
const MAX_NAMED = 100;

/** Tells on stderr what of a search could not be read, while the readable signatures pass. */
export function readingReport(io: Pick<Io, "stderr">) {
  let unreadable = 0;
  let failure: TsignError | undefined;
  const warn = (text: string) => io.stderr.write(`WARNING: ${printable(text)}\n`);
  return {
    /** How many candidates could not be read. */
    get unreadable() {
      return unreadable;
    },
    async *readable(found: AsyncIterable<Found>): AsyncGenerator<Evidence, void, undefined> {
      for await (const each of found) {
        if ("incomplete" in each) {
          failure ??= each.incomplete;
          warn(`${each.origin.where} could not be looked through: ${each.incomplete.message}`);
        } else if ("unreadable" in each) {
          unreadable++;
          if (unreadable <= MAX_NAMED) warn(`${each.origin.where} cannot be read: ${each.unreadable}`);
        } else yield each;
      }
      if (unreadable > MAX_NAMED) warn(`${unreadable - MAX_NAMED} more cannot be read`);
    },
    /** @throws TsignError the first place that could not be looked through: nothing can be said to be absent then */
    requireComplete(): void {
      if (failure) throw failure;
    },
  };
}
