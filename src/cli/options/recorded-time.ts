import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";

const MAX_SECONDS = 253_402_300_799; // the end of the year 9999, the last that RFC 3339 writes

/**
 * The time to write into what is made: SOURCE_DATE_EPOCH (seconds since 1970, reproducible-builds.org), else now. Asked for
 * at the start of every command that writes one, so that a wrong value costs nothing.
 *
 * @throws TsignError "input" for a value that is no whole number of seconds
 */
export function recordedTime(io: Pick<Io, "env" | "now">): Date {
  const epoch = io.env["SOURCE_DATE_EPOCH"];
  if (!epoch) return io.now();
  const seconds = /^[+-]?\d{1,15}$/.test(epoch) ? Number(epoch) : Number.NaN;
  if (Math.abs(seconds) <= MAX_SECONDS) return new Date(seconds * 1000);
  throw new TsignError(
    "input",
    `SOURCE_DATE_EPOCH should be the number of seconds since January 1st 1970, 00:00 UTC, got: "${epoch}"`,
    { hint: "unset it, or set it to a whole number, such as the output of `date +%s`" },
  );
}

/** In whole seconds, UTC, as RFC 3339 writes it. */
export function recordedTimeText(io: Pick<Io, "env" | "now">): string {
  return recordedTime(io)
    .toISOString()
    .replace(/\.\d+Z$/, "Z");
}
