import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "",
  summary: "Say whether a sandbox is running",
  about: "Prints the address of the running sandbox's registry, and fails when there is none.",
  examples: ["tsign sandbox status"],
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
});
