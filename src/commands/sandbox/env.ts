import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "",
  summary: "Print the sandbox's environment variables",
  about: "Prints shell commands that set the environment variables with which tsign and cosign use the sandbox.",
  examples: ["# Use the sandbox in this shell", 'eval "$(tsign sandbox env)"'],
  result: shape.object({ variables: shape.map(shape.text()) }),
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
});
