import type { Io } from "../../io/io.ts";
import { parseClock } from "../../sandbox/server/clock.ts";
import { parseFault } from "../../sandbox/server/faults.ts";
import type { SandboxOptions } from "../../sandbox/server/serve.ts";
import type { sandboxFlags } from "../flags/sandbox.ts";
import type { FlagValues } from "../parser/define.ts";

/** Returns the options of the sandbox flags. @throws TsignError "usage" */
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
