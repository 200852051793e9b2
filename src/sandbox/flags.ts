import { type FlagValues, flag } from "../cli/parser/define.ts";
import type { Io } from "../io/io.ts";
import { parseClock } from "./server/clock.ts";
import { parseFault } from "./server/faults.ts";
import type { SandboxOptions } from "./server/serve.ts";

/** Flags of the commands that start a sandbox. */
export const sandboxFlags = {
  referrers: flag.bool("have the referrers API", { default: true }),
  state: flag.string("folder to keep keys and logs in, so that signatures outlive a restart"),
  clock: flag.string("the services' time: 2026-01-31T00:00:00Z stands still, +1h30m and -2h are shifted"),
  fault: flag.strings("what goes wrong: service:fault[=value][*times], e.g. rekor1:no-etag, tsa:slow=500*1"),
};

/** What the flags say. @throws TsignError "usage" */
export function sandboxOptions(
  io: Pick<Io, "now" | "cwd">,
  flags: FlagValues<typeof sandboxFlags>,
): Pick<SandboxOptions, "referrers" | "state" | "clock" | "faults"> {
  const state = flags.state === "" || flags.state.startsWith("/") ? flags.state : `${io.cwd}/${flags.state}`;
  return {
    referrers: flags.referrers,
    clock: parseClock(flags.clock, io),
    faults: flags.fault.map(parseFault),
    ...(state === "" ? {} : { state }),
  };
}
