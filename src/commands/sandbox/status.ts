import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "",
  summary: "Print whether a sandbox is running",
  about: "Prints the address of the running sandbox's registry. Fails if no sandbox is running.",
  examples: ["# Print the address of the running sandbox", "tsign sandbox status"],
  result: shape.object({ registry: shape.text("host and port") }),
  args: { min: 0, max: 0 },
  flags: {},
  bindEnvironment: false,
});
