import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "<bundle>",
  summary: "Show what a Sigstore bundle holds",
  about:
    "Shows certificate, log entries, timestamps and content of a bundle, and what of them is not as it should be. Nothing is " +
    "verified, and nothing is looked up.",
  examples: [
    "tsign bundle inspect app.sigstore.json",
    "tsign download signature registry.example/app:v1 | tsign bundle inspect -",
  ],
  args: { min: 1, max: 1 },
  flags: {},
  bindEnvironment: false,
});
