import { defineCommand } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "<registry>",
  summary: "Remove the stored credentials of a registry",
  about:
    "Removes what `login` stored, or docker did: from docker's configuration, or from the credential store it names. It is " +
    "no failure when there is nothing to remove.",
  examples: ["tsign logout registry.example"],
  args: { min: 1, max: 1 },
  flags: {},
  bindEnvironment: false,
});
