import { defineCommand } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "",
  summary: "Print the ambient identity token providers",
  about:
    "Prints the ambient identity token providers in the order in which they are tried, and whether each is available.",
  examples: ["# List the identity token providers", "tsign debug providers"],
  result: shape.object({
    providers: shape.list(
      shape.object({ name: shape.text(), enabled: shape.flag() }),
      "in the order in which they are tried",
    ),
  }),
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {},
  bindEnvironment: false,
});
