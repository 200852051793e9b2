import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";

/** The clock of the sandbox's services. */
export type Clock = () => Date;

/**
 * Parses a clock: `2026-01-31T00:00:00Z` is a fixed time, `+1h30m` and `-2h` are offsets from the real time, "" is the real
 * time.
 *
 * @throws TsignError "usage"
 */
export function parseClock(text: string, io: Pick<Io, "now">): Clock {
  if (text === "") return () => io.now();
  const shift = /^([+-])(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (shift && text.length > 1) {
    const [, sign, hours = "0", minutes = "0", seconds = "0"] = shift;
    const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (sign === "-" ? -1000 : 1000);
    return () => new Date(io.now().getTime() + offset);
  }
  const at = Date.parse(text);
  if (Number.isNaN(at) || !/^\d{4}-\d\d-\d\dT/.test(text)) {
    throw new TsignError("usage", `parse clock "${text}": invalid time`, {
      hint: "use a form such as 2026-01-31T00:00:00Z, +1h30m or -2h",
    });
  }
  return () => new Date(at);
}

/** `YYYY-MM-DDTHH:MM:SSZ`. */
export function isoSeconds(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** Whole seconds since 1970. */
export function unixSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000);
}
