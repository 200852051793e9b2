import { flag } from "../parser/define.ts";

/** Flags of the commands that start a sandbox. */
export const sandboxFlags = {
  referrers: flag.bool("have the referrers API", { default: true }),
  state: flag.string("folder to keep keys and logs in, so that signatures outlive a restart"),
  clock: flag.string("the services' time: 2026-01-31T00:00:00Z stands still, +1h30m and -2h are shifted"),
  fault: flag.strings("what goes wrong: service:fault[=value][*times], e.g. rekor1:no-etag, tsa:slow=500*1"),
};
