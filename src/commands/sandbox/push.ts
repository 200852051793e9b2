import { registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "<name[:tag]> [file]",
  summary: "Push a small image into the sandbox",
  about: "Pushes an image of one layer that holds the file, or a greeting, and prints its reference by digest.",
  examples: ["tsign sandbox push hello", "tsign sandbox push app:v1 build/app"],
  args: { min: 1, max: 2 },
  flags: { ...registryFlags },
  bindEnvironment: false,
});
