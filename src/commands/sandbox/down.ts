import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "",
  summary: "Stop the sandbox",
  about: "Stops the sandbox that `sandbox up` started; what it held is gone.",
  examples: ["tsign sandbox down"],
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
});
