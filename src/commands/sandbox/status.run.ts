import type { Run } from "../../cli/parser/define.ts";
import { sandboxRegistry } from "../../sandbox/server/state.ts";
import type definition from "./status.ts";

export const run: Run<typeof definition> = async (io) => {
  io.stdout.write(`running: ${await sandboxRegistry(io)}\n`);
};
