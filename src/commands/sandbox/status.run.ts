import type { Run } from "../../cli/parser/define.ts";
import { sandboxRegistry } from "../../sandbox/server/state.ts";
import type definition from "./status.ts";

export const run: Run<typeof definition> = async (io) => {
  const registry = await sandboxRegistry(io);
  io.stdout.write(`running: ${registry}\n`);
  return { registry };
};
