import type { Run } from "../../cli/parser/define.ts";
import { shellExports } from "../../sandbox/server/environment.ts";
import { sandboxEnvironment } from "../../sandbox/server/state.ts";
import type definition from "./env.ts";

export const run: Run<typeof definition> = async (io) => {
  const variables = await sandboxEnvironment(io);
  io.stdout.data(shellExports(variables));
  return { variables };
};
