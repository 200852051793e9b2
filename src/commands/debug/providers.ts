import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "",
  summary: "Print the ambient identity token providers",
  about:
    "Prints the ambient identity token providers in the order in which they are tried, and whether each is available.",
  examples: ["# List the identity token providers", "tsign debug providers"],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {},
  bindEnvironment: false,
});
