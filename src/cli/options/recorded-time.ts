import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";

const MAX_SECONDS = 253_402_300_799; // the end of the year 9999, the last in RFC 3339

/**
 * Returns the creation time to record: SOURCE_DATE_EPOCH (seconds since 1970, reproducible-builds.org), else now. Commands that
 * record a time call it first, so that a wrong value fails before anything is signed.
 *
 * @throws TsignError "input" for a value that is not a whole number of seconds
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

/** Returns the recorded time in RFC 3339, UTC, in whole seconds. */
export function recordedTimeText(io: Pick<Io, "env" | "now">): string {
  return recordedTime(io)
    .toISOString()
    .replace(/\.\d+Z$/, "Z");
}
