import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { parseFault } from "../../sandbox/server/faults.ts";
import { askRunning } from "../../sandbox/server/state.ts";
import type definition from "./fault.ts";

export const run: Run<typeof definition> = async (io, { args, flags }) => {
  if (args.length === 0 && !flags.clear) throw new TsignError("usage", "a fault or --clear is required");
  for (const text of args) parseFault(text);
  if (flags.clear) await askRunning(io, { method: "DELETE", path: "/sandbox/faults" });
  if (args.length > 0) await askRunning(io, { method: "POST", path: "/sandbox/faults", body: args.join("\n") });
};
