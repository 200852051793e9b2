import { defineCommand } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "<registry>",
  summary: "Log out from a registry",
  about:
    "Removes the credentials of a registry from docker's configuration or the credential store it names. Succeeds also if nothing is stored.",
  examples: ["# Remove the credentials of a registry", "tsign logout registry.example"],
  result: shape.object({ registry: shape.text(), removedFrom: shape.list(shape.text("file or credential helper")) }),
  args: { min: 1, max: 1 },
  flags: {},
  bindEnvironment: false,
});
