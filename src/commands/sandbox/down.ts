import { defineCommand } from "../../cli/parser/define.ts";
import { askSandbox, findSandbox } from "../../sandbox/server/state.ts";

export default defineCommand({
  usage: "",
  summary: "Stop the sandbox",
  about: "Stops the sandbox that `sandbox up` started; what it held is gone.",
  examples: ["tsign sandbox down"],
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
  async run(io) {
    const running = await findSandbox(io);
    if (!running) {
      io.stderr.write("No sandbox is running\n");
      return;
    }
    await askSandbox(io, running, { method: "POST", path: "/sandbox/stop" });
    io.stderr.write(`Stopped the sandbox on localhost:${running.port}\n`);
  },
});
