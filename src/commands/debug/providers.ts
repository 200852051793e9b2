import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "",
  summary: "Print where an identity token could come from without a login",
  about: "Prints the ambient providers in the order they are tried in, and whether each is there.",
  examples: ["tsign debug providers"],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {},
  bindEnvironment: false,
});
