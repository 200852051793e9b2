import { flag } from "../parser/define.ts";

/** The flags of the commands that start a sandbox. */
export const sandboxFlags = {
  referrers: flag.bool("serve the OCI referrers API", { default: true }),
  state: flag.string("folder for keys and logs, so that signatures stay valid after a restart"),
  clock: flag.string("clock of the services: a fixed time such as 2026-01-31T00:00:00Z, or an offset such as +1h30m"),
  fault: flag.strings("faults to inject, as service:fault[=value][*times], such as rekor1:no-etag or tsa:slow=500*1"),
};
