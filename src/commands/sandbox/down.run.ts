import type { Run } from "../../cli/parser/define.ts";
import { askSandbox, findSandbox } from "../../sandbox/server/state.ts";
import type definition from "./down.ts";

export const run: Run<typeof definition> = async (io) => {
  const running = await findSandbox(io);
  if (!running) {
    io.stderr.write("No sandbox is running\n");
    return { stopped: false };
  }
  await askSandbox(io, running, { method: "POST", path: "/sandbox/stop" });
  io.stderr.write(`Stopped the sandbox on localhost:${running.port}\n`);
  return { stopped: true };
};
