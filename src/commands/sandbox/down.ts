import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "",
  summary: "Stop the sandbox",
  about: "Stops the sandbox that `tsign sandbox up` started. Its registry's images are lost.",
  examples: ["# Stop the sandbox", "tsign sandbox down"],
  result: shape.object({ stopped: shape.flag("whether one was running") }),
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
});
